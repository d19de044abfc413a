"""What clients were told is kept, written down outside of the nodes, and the
proof that it was.

A Client is a thread that writes through one node's control socket, always in
its own items and in some that all clients share, each time a token that
occurs nowhere else. Ledger.check() then holds the nodes against the list. An
acknowledged token must be, on every node, what shows, or in a conflict record;
or some node's history must show that whoever replaced it had it before its
eyes. What one client alone writes must moreover be as it left it."""

import itertools
import random
import threading
import time

from node import PAUSE, Control, Refused, conflicts, wait_for
from tap import check, equal

FIELDS = ("f", "g")
SHARED = 8
OWN = 6
numbers = itertools.count()  # of clients: a token occurs once


class Write:
    """One try. `sets`: field -> token, or None where it is taken away."""

    def __init__(self, node, key, op, sets):
        self.node, self.key, self.op, self.sets = node, key, op, sets
        self.acked = self.given = False
        self.began, self.ended = time.monotonic(), None
        self.seen = set()  # names of nodes, for whoever watches


class Ledger:
    def __init__(self, space="default"):
        self.space = space
        self.lock = threading.Lock()
        self.writes = {}  # key -> list of Write
        self.by_token = {}
        self.refusals = []  # Refused
        self.acked = 0
        self.by_node = {}  # name -> how many of them

    def try_to(self, node, key, op, sets):
        write = Write(node, key, op, sets)
        with self.lock:
            self.writes.setdefault(key, []).append(write)
            self.by_token.update((t, write) for t in sets.values() if t)
        return write

    def ack(self, write):
        with self.lock:
            write.acked, write.ended = True, time.monotonic()
            self.acked += 1
            self.by_node[write.node] = self.acked_at(write.node) + 1

    def acked_at(self, name):
        return self.by_node.get(name, 0)

    def refuse(self, write, why):
        """It was answered: it did not happen."""
        with self.lock:
            self.writes[write.key].remove(write)
            self.refusals.append(why)

    def follow(self, n):
        """A new one that begins with what stands now: it was acknowledged."""
        after = Ledger(self.space)
        with Control(n.dir) as c:
            for key in self.writes:
                value = value_of(c, self.space, key)
                write = after.try_to(
                    n.name, key, "del" if value is None else "put",
                    {f: (value or {}).get(f) for f in FIELDS})
                write.acked = write.given = True
        return after

    def check_standing(self, nodes):
        """Nobody has written since follow()."""
        for n in nodes:
            with Control(n.dir) as c:
                for key, (first, *_) in self.writes.items():
                    value = value_of(c, self.space, key) or {}
                    equal({f: value.get(f) for f in FIELDS}, first.sets,
                          "%s on %s" % (key, n.name))

    def check(self, nodes):
        """The nodes are at rest and agree; says how many tokens it found."""
        views = [View(n, self.space, self.writes) for n in nodes]
        found = 0
        for key, writes in sorted(self.writes.items()):
            for write in writes:
                for field, token in write.sets.items():
                    if write.acked and token is not None:
                        prove(views, key, field, write, writes)
                        found += not write.given
            if key.startswith("own/"):
                for view in views:
                    as_left(view, key, writes)
        check(found > 0, "nothing was acknowledged")
        return found


class View:
    """All that a node shows of the keys that were written."""

    def __init__(self, n, space, keys):
        self.name, self.device = n.name, n.status()["device"]
        self.items, self.past, self.recorded = {}, {}, {}
        with Control(n.dir) as c:
            for key in keys:
                self.items[key] = value_of(c, space, key)
                self.past[key] = versions_of(c, space, key)
        for record in conflicts(n, space=space, all=True):
            self.recorded.setdefault(record["key"], set()).update(
                tokens(record["loser"].get("value")))

    def shows(self, key, field, token):
        return (self.items[key] or {}).get(field) == token

    def versions(self, key):
        return [v for v in self.past[key] if v["what"] != "lost"]

    def last_seen(self, key, field, token):
        """Its place in the past, or None."""
        at = [i for i, v in enumerate(self.versions(key))
              if field_of(v, field) == token]
        return at[-1] if at else None

    def replaced_by(self, key, field, token):
        """The version that followed it here, or None."""
        at = self.last_seen(key, field, token)
        if at is None:
            return None
        return next(iter(self.versions(key)[at + 1:]), None)


def value_of(c, space, key):
    try:
        return c.call("get", space=space, key=key)["value"]
    except Refused as why:
        if why.code != "ENOTFOUND":
            raise
        return None


def versions_of(c, space, key):
    try:
        return c.call("history", space=space, key=key)["versions"]
    except Refused as why:
        if why.code != "ENOTFOUND":
            raise
        return []


def tokens(value):
    if isinstance(value, dict):
        return set().union(set(), *(tokens(v) for v in value.values()))
    return {value} if isinstance(value, str) else set()


def field_of(version, field):
    value = version.get("value")
    return value.get(field) if isinstance(value, dict) else None


def prove(views, key, field, write, writes):
    token = write.sets[field]
    if all(v.shows(key, field, token) for v in views):
        return
    if all(token in v.recorded.get(key, ()) for v in views):
        return
    since = [w for w in writes
             if w.ended is None or w.ended >= write.began]
    for view in views:
        after = view.replaced_by(key, field, token)
        if after and (after["device"] == view.device or
                      may_have_seen(after, since) or
                      may_have_deleted(view, after, since)):
            return
    raise AssertionError("%s /%s %s was acknowledged and is lost:\n%s" % (
        key, field, token, "\n".join(tell(v, key, field, token)
                                     for v in views)))


def may_have_seen(version, writes):
    """By one whose own history a crash has taken: what was never
    acknowledged can have reached others before it was on the disk."""
    unsure = [w for w in writes if not w.acked]
    if version["what"] == "delete":
        return any(w.op == "del" and w.node == version["name"]
                   for w in unsure)
    seen = tokens(version.get("value"))
    return any(t in seen for w in unsure for t in w.sets.values())


def may_have_deleted(view, version, writes):
    """A history does not tell of a deletion after a deletion: this node's
    own is gone from its past where another's, of a later life of the item,
    came on top."""
    return version["what"] == "delete" and any(
        w.op == "del" and w.node == view.name for w in writes)


def tell(view, key, field, token):
    """What it shows, and its past about there."""
    at = view.last_seen(key, field, token)
    past = view.past[key][-4:] if at is None else \
        view.versions(key)[max(0, at - 2):at + 5]
    return "%s shows %r, in records %r\n%s" % (
        view.name, view.items[key], sorted(view.recorded.get(key, ())),
        "\n".join("  %s %s of %s: %r" % (
            v["stamp"], v["what"], v["name"], v.get("value")) for v in past))


def as_left(view, key, writes):
    """An item that one client alone writes. What it tried last may stand;
    nothing else than what it tried may."""
    last = max((i for i, w in enumerate(writes) if w.acked), default=None)
    later = writes if last is None else writes[last + 1:]
    value = view.items[key]
    said = "%s: %s is %r" % (view.name, key, value)
    if value is None:
        gone = last is None or writes[last].op == "del" or \
            any(w.op == "del" and not w.acked for w in writes)
        check(gone, said + ", and was not deleted")
        return
    check(last is None or writes[last].op != "del" or
          any(w.op != "del" for w in later), said + ", and was deleted")
    for field in FIELDS:
        allowed = standing(writes, field)
        check(value.get(field) in allowed, "%s, /%s not among %r" % (
            said, field, sorted(map(str, allowed))))


def standing(writes, field):
    """What may be in a field: what was acknowledged last, and any try
    since; a field that was only taken away implicitly can come from any
    unsure try."""
    allowed = {None}
    unsure = set()
    for w in writes:
        if w.op == "del" or field in w.sets:
            token = w.sets.get(field)
            if not w.acked:
                unsure.add(token)
                allowed.add(token)
            elif token is None:
                allowed = {None} | unsure
            else:
                allowed = {token}
    return allowed


class Client(threading.Thread):
    """Writes at one node, over its restarts, until stop()."""

    def __init__(self, ledger, node, name, seed, pause=0.02, shared=SHARED,
                 pad=0):
        super().__init__(daemon=True)
        self.ledger, self.node, self.label = ledger, node, name
        self.rng = random.Random("%s/%s" % (seed, name))
        self.prefix = "%s.%x" % (name, next(numbers))
        self.pause, self.shared, self.pad = pause, shared, pad
        self.count = 0
        self.ending = threading.Event()
        self.wrong = None
        self.start()

    def run(self):
        try:
            while not self.ending.is_set():
                self.talk()
        except Exception as wrong:  # told by stop()
            self.wrong = wrong

    def stop(self):
        self.ending.set()
        self.join(60)
        check(not self.is_alive(), "client %s hangs" % self.label)
        if self.wrong:
            raise self.wrong

    def talk(self):
        """Until the node is gone."""
        try:
            with Control(self.node.dir) as c:
                while not self.ending.wait(self.rng.random() * self.pause):
                    self.write(c)
        except (OSError, EOFError, ValueError):
            self.ending.wait(PAUSE)

    def token(self):
        self.count += 1
        return "%s.%d" % (self.prefix, self.count)

    def draw(self):
        """key, op, what it sets"""
        shared = self.rng.random() < 0.4
        key = "shared/%d" % self.rng.randrange(self.shared) if shared else \
            "own/%s/%d" % (self.label, self.rng.randrange(OWN))
        op = self.rng.choices(("put", "patch", "del"), (4, 5, 1))[0]
        if op == "del":
            return key, op, dict.fromkeys(FIELDS)
        field = self.rng.choice(FIELDS)
        sets = {field: self.token()}
        if op == "put":
            sets = {f: sets.get(f) for f in FIELDS}
        return key, op, sets

    def write(self, c):
        key, op, sets = self.draw()
        write = self.ledger.try_to(self.node.name, key, op, sets)
        value = {f: t for f, t in sets.items() if t is not None}
        if self.pad:
            value["pad"] = "=" * self.rng.randrange(self.pad)
        args = {"put": {"value": value}, "patch": {"patch": value}}
        try:
            c.call(op, space=self.ledger.space, key=key, **args.get(op, {}))
        except Refused as why:
            if why.code == "ECLOSED":  # it stops: this may have happened
                raise EOFError from why
            if why.code not in ("ENOTFOUND", "EFULL"):
                raise
            self.ledger.refuse(write, why)
        else:
            self.ledger.ack(write)


def clients(ledger, nodes, seed, each=2, **more):
    return [Client(ledger, n, "%s%d" % (n.name, i), seed, **more)
            for n in nodes for i in range(each)]


def stop_all(those):
    for client in those:
        client.ending.set()
    for client in those:
        client.stop()


def settle(nodes, space="default", patience=120):
    """Connected, the same everywhere, and said to be so by each."""
    names = {n.name for n in nodes}
    for n in nodes:
        wait_for("%s is connected with all" % n.name,
                 lambda n=n: n.connected() >= names - {n.name}, patience)
    wait_for("they show the same", lambda: len(
        {n.space(space)["fingerprint"] for n in nodes}) == 1, patience)
    for n in nodes:
        wait_for("%s finds that all agree" % n.name, n.agrees, patience)
