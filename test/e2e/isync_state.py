"""What a node of the older iSync knows, and its merge, by the rules of its page
alone."""

import time


class State:
    """What a node knows."""

    def __init__(self, node_id):
        self.node_id = node_id
        self.clock, self.registers, self.deleted = {}, {}, set()

    def put(self, key, value, stamp=None):
        if key in self.deleted:
            return False
        stamp = time.time() if stamp is None else stamp
        old = self.registers.get(key)
        if old is not None and old["timestamp"] >= stamp:
            return False
        self.clock[self.node_id] = self.clock.get(self.node_id, 0) + 1
        self.registers[key] = {"node_id": self.node_id, "value": value,
                               "timestamp": stamp}
        return True

    def delete(self, key):
        self.clock[self.node_id] = self.clock.get(self.node_id, 0) + 1
        self.deleted.add(key)
        self.registers.pop(key, None)

    @staticmethod
    def rank(register):
        return (register["timestamp"], register["node_id"])

    def take(self, key, register):
        old = self.registers.get(key)
        if key not in self.deleted and (
                old is None or self.rank(register) > self.rank(old)):
            self.registers[key] = register
            return True
        return False

    def merge(self, data):
        for node, n in data["vector_clock"].items():
            self.clock[node] = max(self.clock.get(node, 0), n)
        self.clock[self.node_id] = self.clock.get(self.node_id, 0) + 1
        changed = False
        for key, register in data["lww_registers"].items():
            changed = self.take(key, dict(
                register, timestamp=register["timestamp"] or time.time())
            ) or changed
        for key in data["deleted_keys"]["elements"]:
            changed = key not in self.deleted or changed
            self.deleted.add(key)
            self.registers.pop(key, None)
        return changed

    def json(self):
        return {"node_id": self.node_id, "vector_clock": self.clock,
                "lww_registers": self.registers,
                "deleted_keys": {"elements": sorted(self.deleted)}}

    def records(self):
        config = {}
        for key, register in self.registers.items():
            parts = key.split(".", 2)
            if len(parts) == 3 and parts[0] == "config":
                config.setdefault(parts[1], {})[parts[2]] = register["value"]
        return config
