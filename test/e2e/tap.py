"""Checks, and tests printed as TAP. A test is a function of no arguments; it
fails by raising, and may raise Skip with a reason."""

import os
import signal
import sys
import time
import traceback


class Skip(Exception):
    pass


def program():
    """The built binary, as SYNCLINE names it; "" if it names none."""
    path = os.environ.get("SYNCLINE", "")
    if path and not (os.path.isfile(path) and os.access(path, os.X_OK)):
        print("Bail out! SYNCLINE=%s: there is no program; it is to name the "
              "built one, as in SYNCLINE=$PWD/build/src/syncline" % path)
        sys.exit(1)
    return path and os.path.abspath(path)


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError("%s: got %r, not %r" % (what, got, want))


def holds(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError("%r does not say %r" % (text, part))


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def note(text):
    print("# " + text)
    sys.stdout.flush()


def one(number, test):
    """True if it did not fail."""
    name = test.__name__.replace("_", " ")
    started = time.monotonic()
    try:
        test()
    except Skip as why:
        print("ok %d - %s # SKIP %s" % (number, name, why))
    except Exception as wrong:  # whatever it is, the next test shall run
        where = traceback.extract_tb(wrong.__traceback__)
        print("not ok %d - %s" % (number, name))
        for frame in where[1:]:
            print("# %s:%d: %s" % (frame.filename.rpartition("/")[2],
                                   frame.lineno, frame.line))
        for line in ("%s: %s" % (type(wrong).__name__, wrong)).split("\n"):
            print("# " + line)
        return False
    else:
        print("ok %d - %s" % (number, name))
        note("%.1f s" % (time.monotonic() - started))
    return True


def end_cleanly():
    """What a test has made, it takes away, also when it took too long."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def run(tests, only=()):
    """Exit status. `only`: parts of names, to run some of them by hand."""
    end_cleanly()
    chosen = [t for t in tests if not only or any(
        part in t.__name__ for part in only)]
    print("1..%d" % len(chosen))
    if tests and not chosen:
        print("# no such test: %s" % ", ".join(only), file=sys.stderr)
        return 2
    failed = 0
    for number, test in enumerate(chosen, 1):
        failed += not one(number, test)
        sys.stdout.flush()
    return 1 if failed else 0
