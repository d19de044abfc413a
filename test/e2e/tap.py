"""Checks, and tests printed as TAP. A test is a function of no arguments; it
fails by raising, and may raise Skip with a reason."""

import concurrent.futures
import os
import signal
import sys
import threading
import time
import traceback


class Skip(Exception):
    pass


class _Thread(threading.local):
    notes = None  # a list, where a test runs beside others


_this_thread = _Thread()


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
    if _this_thread.notes is not None:
        _this_thread.notes.append(text)
        return
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


def _meanwhile(pool, test):
    """Begins as soon as the pool has room; what it gives has its result."""
    def story():
        _this_thread.notes = notes = []
        try:
            test()
        except Exception as wrong:
            return notes, wrong
        return notes, None

    running = pool.submit(story)

    def told():
        notes, wrong = running.result()
        for text in notes:
            note(text)
        if wrong:
            raise wrong

    told.__name__ = test.__name__
    return told


def run(tests, only=(), beside=(), at_once=1):
    """Exit status. `only`: parts of names, to run some of them by hand.
    `beside`: tests that mostly wait, and share nothing with each other nor with
    the rest. So many at once, they run beside `tests`, and are told last."""
    end_cleanly()

    def wanted(some):
        return [t for t in some if not only or any(
            part in t.__name__ for part in only)]

    chosen, slow = wanted(tests), wanted(beside)
    print("1..%d" % len(chosen + slow))
    if list(tests) + list(beside) and not chosen + slow:
        print("# no such test: %s" % ", ".join(only), file=sys.stderr)
        return 2
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        chosen += [_meanwhile(pool, test) for test in slow]
        for number, test in enumerate(chosen, 1):
            failed += not one(number, test)
            sys.stdout.flush()
    return 1 if failed else 0
