#!/usr/bin/python3
"""Options of the iSync face that hold at once: what is shared, and where nodes
are served. Those that cannot say so."""

import os
import socket
import sys

from isync_scene import Scene, wait_for
from node import main
from proxy import free_port
from tap import check, equal, holds


def _answers(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 5).close()
        return True
    except OSError:
        return False


class Live(Scene):
    """Of which the options are in the file, so that they can be changed."""

    def __enter__(self):
        self.flags, self.names = [], ()
        super().__enter__()
        self.port = free_port()
        self.a = self.node("a")
        with open(os.path.join(self.a.dir, "syncline.yaml"), "w") as file:
            file.write("isync:\n  enabled: true\n  port: %d\n  interval: 1\n"
                       % self.port)
        self.a.start()
        return self

    def set(self, name, value):
        return self.a.call("config_set", value={"isync." + name: value})


def what_is_shared_changes_at_once():
    with Live() as s:
        s.a.put("_id", {"a": 1}, "config")
        s.a.put("app", {"colour": "red"}, "config")
        old = s.old("old")
        old.do("dial", url=s.url())
        old.shows(a=1)
        since = s.a.call("isync")["links"][0]["since"]
        equal(s.set("patterns", ["config.app.*"])["restart"], False, "of none")
        wait_for("what was there is told", lambda: old.do("values").get(
            "config.app.colour") == "red")
        old.do("put", values={"config.app.size": 3})
        wait_for("it is taken", lambda: s.a.get("app", "config") == {
            "colour": "red", "size": 3})
        s.set("patterns", None)
        s.a.put("app", {"colour": "blue", "size": 3}, "config")
        s.a.put("_id", {"a": 2}, "config")
        wait_for("what is shared goes on", lambda: old.do("values").get(
            "config._id.a") == 2)
        equal(old.do("values")["config.app.colour"], "red", "not this")
        s.set("patterns", ["config.other.*", "config.app.*"])
        wait_for("as it is now", lambda: old.do("values").get(
            "config.app.colour") == "blue")
        equal(s.a.call("isync")["links"][0]["since"], since, "nobody was cut")


def what_they_have_is_taken_once_it_is_shared():
    with Live() as s:
        s.a.put("_id", {"a": 1}, "config")
        old = s.old("old")
        old.do("dial", url=s.url())
        old.shows(a=1)
        old.do("put", values={"config.app.size": 3})
        old.put(b=2)
        wait_for("all is passed on", lambda: s.a.get("_id", "config") == {
            "a": 1, "b": 2})
        equal(s.a.get("app", "config"), None, "it is not shared")
        s.set("patterns", ["config.app.*"])
        s.a.waits_for("app", {"size": 3}, "config")


def what_is_shared_no_more_is_removed_here_alone():
    with Live() as s:
        s.a.put("_id", {"a": 1}, "config")
        s.a.put("app", {"colour": "red"}, "config")
        old = s.old("old")
        old.do("dial", url=s.url())
        old.shows(a=1)
        s.set("patterns", ["config.app.*"])
        wait_for("it is shared", lambda: old.do("values").get(
            "config.app.colour") == "red")
        s.set("patterns", None)
        s.a.call("del", key="app", space="config")
        s.a.put("_id", {"a": 2}, "config")
        wait_for("what is shared goes on", lambda: old.do("values").get(
            "config._id.a") == 2)
        equal(old.do("values").get("config.app.colour"), "red", "it stays")


def nodes_are_served_elsewhere_at_once():
    with Live() as s:
        s.a.put("_id", {"a": 1}, "config")
        old = s.old("old")
        old.do("dial", url=s.url())
        old.shows(a=1)
        since = s.a.call("isync")["links"][0]["since"]
        port = free_port()
        equal(s.set("port", port)["restart"], False, "of the port")
        check(_answers(port) and not _answers(s.port), "where it is")
        equal(s.a.call("isync")["port"], port, "what is told")
        s.set("bind", ["0.0.0.0"])
        check(_answers(port, "127.0.0.2"), "at each address")
        s.a.put("_id", {"a": 2}, "config")
        old.shows(a=2)
        equal(s.a.call("isync")["links"][0]["since"], since, "nobody was cut")
        # Who came by an address that is served no more goes.
        s.set("bind", ["127.0.0.2"])
        wait_for("it is gone", lambda: not s.a.call("isync")["links"])
        check(_answers(port, "127.0.0.2") and not _answers(port), "there")
        s.set("bind", None)
        other = s.old("other")
        other.do("dial", url="http://127.0.0.1:%d" % port)
        other.shows(a=2)
        equal(s.set("server", False)["restart"], False, "of serving")
        wait_for("nobody is", lambda: not s.a.call("isync")["links"])
        check(not _answers(port), "nowhere")
        equal(s.a.call("isync")["port"], None, "what is told")
        s.set("server", True)
        check(_answers(port), "again")


def a_port_that_is_taken_is_told():
    with Live() as s, socket.socket() as taken:
        old = s.old("old")
        old.do("dial", url=s.url())
        wait_for("it is there", lambda: s.a.call("isync")["links"])
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        s.a.refuses("config", "set", "isync.port", str(port),
                    says="choose another port (isync.port)")
        check(_answers(s.port), "it is served where it was")
        equal(s.a.call("isync")["port"], s.port, "what is told")
        check(s.a.call("isync")["links"], "nobody was cut")
        taken.close()
        s.a.do("config", "set", "isync.port", str(port))
        check(_answers(port) and not _answers(s.port), "now it is free")


def what_waits_for_a_restart_says_so():
    with Live() as s:
        for name, value, was in (("space", "other", "config"),
                                 ("node_id", "me", None)):
            told = s.a.cli("config", "set", "isync." + name, value)
            equal(told.code, 0, told.err)
            holds(told.err, "isync.%s is in the file, and in force from the "
                  "next start" % name)
            now = s.a.call("isync")[name]
            check(now == was if was else now != value, now)
        equal(s.a.cli("config", "set", "isync.port", str(free_port())).err, "",
              "nothing waits")
        s.a.process.send_signal(1)
        wait_for("the log says which", lambda: "after a restart only: "
                 "isync.space, isync.node_id" in s.a.tail())
        s.a.stop()
        s.a.start()
        told = s.a.call("isync")
        equal((told["space"], told["node_id"]), ("other", "me"), "now")
        s.a.process.send_signal(1)
        wait_for("nothing waits", lambda: "and all of it is in force"
                 in s.a.tail())


if __name__ == "__main__":
    sys.exit(main(globals()))
