#!/usr/bin/python3
"""Files that are bound to items, with real daemons and saved as real editors
save them.

The torture (`saves` below) makes TORTURE_SAVES saves (default 60) on two
machines with restarts between; script/nightly asks for 1,000."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

from bound import (STYLES, TEXT, Reader, Site, bind, binding, file_of, in_sync,
                   read, says, trouble, write)
from node import PROGRAM, Refused, World, main, surroundings, wait_for
from tap import check, equal, holds, note

SAVES = int(os.environ.get("TORTURE_SAVES", "60"))
READS = int(os.environ.get("TORTURE_READS", "2000"))
def a_change_goes_from_file_to_file():
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), TEXT)
        bind(a)
        b.waits_for("app", {"a": 1, "b": 2})
        bind(b)
        equal(json.loads(read(file_of(b))), {"a": 1, "b": 2})
        equal(os.stat(file_of(b)).st_mode & 0o777, 0o600, "mode of a new file")
        write(file_of(b), '{"a": 7, "b": 2}')
        wait_for("a has it", lambda: says(file_of(a), {"a": 7, "b": 2}))
        equal(read(file_of(a)), TEXT.replace("1", "7"), "order and look")
        equal(read(file_of(a) + ".backup"), TEXT, "the one before")
        equal(a.status()["files"], {"bound": 1, "troubled": 0})


def mode_and_owner_stay():
    with World() as world:
        a, = Site(world, "a").nodes
        write(file_of(a), TEXT)
        os.chmod(file_of(a), 0o640)
        if os.geteuid() == 0:
            os.chown(file_of(a), 12, 34)
        was = os.stat(file_of(a))
        bind(a)
        a.put("app", {"a": 5, "b": 2})
        wait_for("the file is written",
                 lambda: says(file_of(a), {"a": 5, "b": 2}))
        now = os.stat(file_of(a))
        equal((now.st_mode, now.st_uid, now.st_gid),
              (was.st_mode, was.st_uid, was.st_gid))


def two_machines_that_edit_different_settings_both_win():
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), TEXT)
        bind(a)
        b.waits_for("app", {"a": 1, "b": 2})
        bind(b)
        b.stop()
        write(file_of(a), TEXT.replace("1", "7"))
        write(file_of(b), '{"b": 9, "a": 1}')
        a.waits_for("app", {"a": 7, "b": 2})
        b.start()  # which finds what was edited while it was down
        for node in (a, b):
            wait_for("%s has both" % node.name,
                     lambda n=node: says(file_of(n), {"a": 7, "b": 9}))


def every_style_of_saving_is_published_whole():
    with World() as world:
        a, = Site(world, "a").nodes
        write(file_of(a), json.dumps({"n": -1}))
        bind(a)
        with_history = []
        for n, style in enumerate(STYLES):
            doc = {"n": n, "style": style.__name__, "list": list(range(n))}
            style(file_of(a), json.dumps(doc, indent=4))
            a.waits_for("app", doc)
            equal(json.loads(read(file_of(a))), doc, "the file stays")
            with_history.append(doc)
        told = [v["value"] for v in a.call("history", key="app")["versions"]]
        for doc in told[1:]:
            check(doc in with_history, "something else was published: %r" % doc)


def what_is_torn_is_told_and_not_published():
    with World() as world:
        a, = Site(world, "a").nodes
        write(file_of(a), TEXT)
        bind(a)
        write(file_of(a), '{\n    "b": 2,\n    "a": ')
        holds(trouble(a, "file-invalid"), "line 3")
        equal(a.get("app"), {"a": 1, "b": 2})
        errors = [e for e in wait_for(
            "the list of errors has it",
            lambda: [e for e in a.call("errors")["errors"]
                     if e["code"] == "file-invalid"])]
        equal(errors[0]["where"], {"file": file_of(a)})
        a.put("app", {"a": 1, "b": 5})
        write(file_of(a), TEXT.replace("1", "7"))
        wait_for("both are there",
                 lambda: says(file_of(a), {"a": 7, "b": 5}))
        in_sync(a)


def a_trouble_is_told_wherever_one_looks_as_soon_as_it_is():
    with World() as world:
        site = Site(world)
        a = world.node("a", "--files.root", site.folder(world, "a"),
                       "--heartbeat.interval", "10m", "--heartbeat.silence",
                       "30m")  # looks for what went wrong every 20 minutes
        a.quick = []
        a.start()
        holds(a.do("status"), "folder ")
        check("files " not in a.do("status"), "no file is bound")
        write(file_of(a), TEXT)
        bind(a)
        holds(a.do("status"), "  files      1 bound\n")
        write(file_of(a), TEXT[:9])
        trouble(a, "file-invalid")
        wait_for("the list has it",
                 lambda: "file-invalid" in a.do("errors"), 5)
        holds(a.do("status"),
              "  files      1 bound, 1 in trouble, see: syncline bindings\n")
        write(file_of(a), TEXT)
        in_sync(a)
        wait_for("the list has it no longer",
                 lambda: "file-invalid" not in a.do("errors"), 5)


def what_cannot_be_bound_is_named():
    with World() as world:
        a, = Site(world, "a").nodes
        write(world.path("schema.json"), '{"type": "objekt"}')
        write(file_of(a), TEXT)
        a.refuses("bind", file_of(a), "--key", "app", "--schema",
                  world.path("schema.json"),
                  says=["bind: schema: /type: must be null"])
        a.refuses("bind", "no-such-folder/app.json", "--key", "app",
                  says=[os.path.join(os.getcwd(), "no-such-folder/app.json")])
        a.refuses("unbind", "no-such-folder/app.json",
                  says=[os.path.join(os.getcwd(), "no-such-folder/app.json"),
                        "is not bound"])


def a_deletion_stays_here_and_can_be_restored():
    with World() as world:
        a, = Site(world, "a").nodes
        write(file_of(a), TEXT)
        bind(a)
        os.unlink(file_of(a))
        holds(trouble(a, "file-missing"), "bind --restore")
        equal(a.get("app"), {"a": 1, "b": 2})
        a.do("bind", "--restore", file_of(a))
        equal(read(file_of(a)), TEXT)


def who_must_say_which_counts_is_asked():
    with World() as world:
        a, = Site(world, "a").nodes
        a.put("app", {"a": 3, "c": 4})
        write(file_of(a), TEXT)
        a.refuses("bind", file_of(a), "--key", "app",
                  says=("3 settings", "/a, /b, /c", "--prefer"))
        equal(a.call("bindings")["bindings"], [])
        bind(a, "--prefer", "merge")
        equal(json.loads(read(file_of(a))), {"a": 3, "b": 2, "c": 4})
        equal(a.get("app"), {"a": 3, "b": 2, "c": 4})
        a.refuses("bind", file_of(a), "--key", "app", says="bound already")
        a.do("unbind", file_of(a))
        a.refuses("unbind", file_of(a), says="is not bound")


def only_regular_files_below_the_roots_are_bound():
    with World() as world:
        a, = Site(world, "a").nodes
        outside = world.path("outside.json")
        write(outside, TEXT)
        a.refuses("bind", outside, "--key", "x", says="files.root")
        os.symlink(outside, file_of(a, "link.json"))
        a.refuses("bind", file_of(a, "link.json"), "--key", "x",
                  says="symbolic link")
        os.link(outside, file_of(a, "hard.json"))
        a.refuses("bind", file_of(a, "hard.json"), "--key", "x",
                  says="hard link")
        os.mkfifo(file_of(a, "pipe.json"))
        a.refuses("bind", file_of(a, "pipe.json"), "--key", "x",
                  says="not a regular file")
        os.symlink(world.folder, file_of(a, "door"))
        for path in (file_of(a, "door/outside.json"),
                     file_of(a, "../outside.json")):
            try:
                a.call("bind", file=path, key="x")
                raise AssertionError("%s is bound" % path)
            except Refused as why:
                equal(why.code, "EDENIED")
        write(file_of(a, "big.json"), '"%s"' % ("x" * (1 << 20)))
        a.refuses("bind", file_of(a, "big.json"), "--key", "x",
                  says="files.max")
        equal(a.call("ls")["items"], [])
        # and a file that becomes a link while it is bound
        write(file_of(a), TEXT)
        bind(a)
        write(outside, '{"secret": 1}')
        os.unlink(file_of(a))
        os.symlink(outside, file_of(a))
        holds(trouble(a, "file-barred"), "symbolic link")
        a.put("app", {"a": 5})
        equal(read(outside), '{"secret": 1}')
        equal(a.get("app"), {"a": 5})


def parts_stay_on_their_machine():
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), '{"host": "a", "net": {"port": 1}, "x": 1}')
        bind(a, "--local", "/host", "--local", "/net/port")
        b.waits_for("app", {"x": 1})
        write(file_of(b), '{"host": "b", "x": 1}')
        bind(b, "--local", "/host")
        write(file_of(b), '{"host": "moved", "x": 2}')
        wait_for("a has x", lambda: says(
            file_of(a), {"host": "a", "net": {"port": 1}, "x": 2}))
        equal(json.loads(read(file_of(b)))["host"], "moved")


def what_a_schema_forbids_goes_neither_way():
    with World() as world:
        a, = Site(world, "a").nodes
        write(world.path("schema"), json.dumps(
            {"properties": {"a": {"type": "integer", "maximum": 9}}}))
        write(file_of(a), TEXT)
        bind(a, "--schema", world.path("schema"))
        write(file_of(a), TEXT.replace("1", "10"))
        holds(trouble(a, "file-refused"), "/a")
        equal(a.get("app"), {"a": 1, "b": 2})
        write(file_of(a), TEXT)
        in_sync(a)
        a.put("app", {"a": "text", "b": 2})
        holds(trouble(a, "file-item-refused"), "/a")
        equal(read(file_of(a)), TEXT)


def a_schema_of_a_space_counts_on_all_machines():
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), TEXT)
        bind(a)
        write(world.path("schema"), json.dumps(
            {"properties": {"b": {"maximum": 9}}}))
        write(world.path("wrong"), '{"type": 5}')
        a.refuses("policy", "default", "ap", "--schema", world.path("wrong"),
                  says="type")
        a.do("policy", "default", "ap", "--schema", world.path("schema"))
        holds(wait_for("b has the schema", lambda: (
            lambda t: t if "maximum" in t else None)(
                b.do("policy", "default"))), "ap")
        holds(b.refuses("put", "default", "app", '{"a": 1, "b": 10}'),
              "/b", "schema")
        b.do("put", "default", "other", '{"b": 10}')
        write(file_of(a), TEXT.replace("2", "11"))
        holds(trouble(a, "file-refused"), "/b")
        equal(b.get("app"), {"a": 1, "b": 2})
        write(file_of(a), TEXT)
        in_sync(a)
        # What stands there when the schema comes is not taken any more.
        a.do("policy", "default", "ap", "--schema", "none")
        wait_for("b has it no more",
                 lambda: "maximum" not in b.do("policy", "default"))
        b.put("app", {"a": 1, "b": 12})
        wait_for("a has it", lambda: says(file_of(a), {"a": 1, "b": 12}))
        a.do("policy", "default", "ap", "--schema", world.path("schema"))
        holds(a.call("get", key="app")["invalid"], "/b")
        b.put("app", {"a": 1, "b": 3})
        wait_for("a has it", lambda: says(file_of(a), {"a": 1, "b": 3}))


def what_a_command_prints_has_an_end():
    """It is not waited for, and what it leaves running may go on printing."""
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), TEXT)
        bind(a, "--on-change", "echo cmd-begins; head -c 900000 /dev/zero | "
             "tr '\\0' x; echo; echo cmd-ends >&2; ( n=0; while [ ! -e %s ] && [ $n -lt 900 ]; "
             "do sleep 0.1; n=$((n+1)); done; echo cmd-late; echo cmd-late; echo done > %s ) & "
             "echo done > %s" % tuple(map(world.path, ("go", "left", "told"))))
        b.waits_for("app", {"a": 1, "b": 2})
        for n in (2, 3):
            if os.path.exists(world.path("told")):
                os.remove(world.path("told"))
            b.put("app", {"a": n, "b": 2})
            wait_for("the command has ended", lambda: os.path.exists(
                world.path("told")))
        wait_for("that is told", lambda: read(a.log).count(
            "more than 64 KiB") == 2)
        write(world.path("go"), "")
        wait_for("what it left went on", lambda: os.path.exists(
            world.path("left")))
        said = read(a.log)
        equal(said.count("cmd-begins"), 2)
        check(said.count("x") in range(2 * 65000, 2 * 65536 + 1000),
              "%d are kept" % said.count("x"))
        for late in ("cmd-ends\n", "cmd-late"):
            check(late not in said, late)
        in_sync(a)


def versions_are_kept_and_rolled_back_to():
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), TEXT)
        bind(a, "--versions", "3")
        for n in range(5):
            write(file_of(a), TEXT.replace("1", str(n + 10)))
            a.waits_for("app", {"a": n + 10, "b": 2})
        wait_for("the last is kept", lambda: json.loads(
            a.do("versions", file_of(a), "latest"))["a"] == 14)
        names = a.do("versions", file_of(a)).split()
        equal(len(names), 3)
        equal(sorted(names), names)
        folder = os.path.join(os.path.dirname(file_of(a)), "config_versions")
        equal(sorted(os.listdir(folder)), names)
        equal(json.loads(a.do("versions", file_of(a), names[0]))["a"], 12)
        equal(a.do("rollback", file_of(a), names[0]).strip(), names[0])
        b.waits_for("app", {"a": 12, "b": 2})
        equal(read(file_of(a)), TEXT.replace("1", "12"))
        a.do("rollback", file_of(a), "--to", "0s")
        a.refuses("rollback", file_of(a), "--to", "7d", says="no version")
        a.refuses("rollback", file_of(a), "../x", says="no name")


def a_command_is_run_and_a_change_that_it_refuses_goes_back():
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a), TEXT)
        bind(a, "--revert-on-failure", "--timeout", "500ms", "--on-change",
             "cat > %s/told; grep -q '\"a\": 66' %s && exit 7; "
             "grep -q '\"a\": 77' %s && sleep 61753; exit 0" % (
                 world.folder, file_of(a), file_of(a)))
        b.waits_for("app", {"a": 1, "b": 2})
        b.put("app", {"a": 2, "b": 2})
        told = wait_for("the command was run", lambda: os.path.exists(
            world.path("told")) and read(world.path("told")))
        equal(json.loads(told), {
            "file": file_of(a), "space": "default", "key": "app",
            "changed": ["/a"], "reverted": False})
        for bad, what in ((66, "status 7"), (77, "longer than 500 ms")):
            b.put("app", {"a": bad, "b": 3})
            b.waits_for("app", {"a": 2, "b": 2})
            holds(trouble(a, "file-command"), what)
            wait_for("the file is as it was",
                     lambda: says(file_of(a), {"a": 2, "b": 2}))
        left = subprocess.run(["pgrep", "-f", "^sleep 61753"],
                              stdout=subprocess.PIPE, check=False)
        equal(left.stdout, b"")


def yaml_keeps_its_comments():
    text = "# mine\nlight: on # as ever\npassword: !secret door\n"
    with World() as world:
        a, b = Site(world, "a", "b").nodes
        write(file_of(a, "ha.yaml"), text)
        bind(a, name="ha.yaml", key="ha")
        b.waits_for("ha", {"light": True, "password": "!secret door"})
        b.put("ha", {"light": False, "password": "!secret door", "new": [1]})
        wait_for("the file is written",
                 lambda: "new" in read(file_of(a, "ha.yaml")))
        now = read(file_of(a, "ha.yaml"))
        holds(now, "# mine\n", "# as ever\n", "password: !secret door\n")
        write(file_of(a, "ha.yaml"), now.replace("[1]", "[2]").replace(
            "- 1", "- 2"))
        b.waits_for("ha", {"light": False, "password": "!secret door",
                           "new": [2]})


def a_folder_that_goes_and_comes_back_is_watched_again():
    with World() as world:
        a, = Site(world, "a").nodes
        sub = file_of(a, "sub/app.json")
        os.makedirs(os.path.dirname(sub))
        write(sub, TEXT)
        bind(a, name="sub/app.json")
        shutil.rmtree(os.path.dirname(sub))
        trouble(a, "file-missing", "sub/app.json")
        os.makedirs(os.path.dirname(sub))
        write(sub, TEXT.replace("1", "7"))
        a.waits_for("app", {"a": 7, "b": 2})


def the_example_runs():
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        ["sh", os.path.join(here, "../../examples/bind.sh")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env=surroundings({"SYNCLINE": PROGRAM}), timeout=60)
    equal(done.returncode, 0, done.stdout.decode())
    holds(done.stdout.decode(), '"log": { "level": "debug" }')


def saves_in_all_styles_on_two_machines_end_in_agreement():
    """And whoever reads where nobody saves never meets a torn file."""
    rng = random.Random(int(os.environ.get("SYNCLINE_SEED", "1")))
    with World() as world:
        a, b, c = nodes = Site(world, "a", "b", "c").nodes
        write(file_of(a), json.dumps(
            {"a": 0, "b": 0, "more": {"x": [0] * 50}}, indent=2))
        for node in nodes:
            wait_for("%s has the item" % node.name, lambda n=node: n is a or
                     n.get("app"))
            bind(node)
        reader = Reader(file_of(c))
        reader.start()
        last = {"a": 0, "b": 0}
        for n in range(1, SAVES + 1):
            node = rng.choice((a, b))
            style = rng.choice(STYLES)
            try:
                doc = json.loads(read(file_of(node)))
            except FileNotFoundError:
                raise AssertionError("the file has gone") from None
            last[node.name] = doc[node.name] = n
            doc["more"]["x"] = [n] * rng.randrange(1, 200)
            style(file_of(node), json.dumps(doc, indent=2))
            time.sleep(rng.choice((0, 0, 0.01, 0.05, 0.2)))
            if n % 25 == 0:
                node = rng.choice(nodes)
                node.stop() if rng.random() < 0.5 else node.kill()
                node.start()
        wait_for("all agree", lambda: all(
            says(file_of(n), node.get("app")) and binding(n)["state"] ==
            "in sync" for n in nodes) and len(
                {json.dumps(n.get("app"), sort_keys=True)
                 for n in nodes}) == 1, 60)
        equal({k: a.get("app")[k] for k in last}, last, "each one's last save")
        wait_for("enough reads", lambda: reader.reads >= READS, 600)
        reader.end()
        equal(reader.torn, [], "torn files")
        note("%d saves, %d reads" % (SAVES, reader.reads))


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        a_folder_that_goes_and_comes_back_is_watched_again,
        what_is_torn_is_told_and_not_published,
        a_trouble_is_told_wherever_one_looks_as_soon_as_it_is,
        only_regular_files_below_the_roots_are_bound]))
