"""Syncthing, which knows files: an item is one, and who watches looks whether
it has changed."""

import syncthing
from peer import Peer, needs


class Syncthing(Peer):
    NAME = "Syncthing"
    SETTINGS = "both take writes; files, with the least delay it takes, 1 s"

    def missing(self):
        return needs({"syncthing": "syncthing"})

    def propagation(self, n, rate):
        with self.scene() as running:
            both = syncthing.Pair(self.path("two"), 1)
            running.append(both)
            both.start()
            source, target = both.files("item.json")
            with open(source, "w") as f:
                f.write("{}")
            few = 1 if self.bench.quick else 20  # each takes a second
            return dict(self.bench.program("files", "save", source, target,
                                           few, "rename"), asked=few)
