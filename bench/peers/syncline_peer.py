"""Syncline itself, as script/bench measures it."""

from peer import Peer
from two_nodes import measure_propagation, measure_sync, measure_writes


class Syncline(Peer):
    NAME = "Syncline"
    SETTINGS = ("both take writes; a write is synced to both disks when it is "
                "acknowledged; TLS, each change signed")

    def propagation(self, n, rate):
        return measure_propagation(self.bench, n, rate)

    def writes(self, n):
        return {"per_second":
                measure_writes(self.bench, n)["batched_per_second"]}

    def sync(self, n):
        return measure_sync(self.bench, n)
