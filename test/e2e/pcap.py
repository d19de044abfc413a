"""Reads what tcpdump wrote: TCP streams put together, UDP payloads."""

import struct


def frames(path):
    """Ethernet frames, in order."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") \
        else ">"
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        if at + 16 + length <= len(data):  # whole; it may still grow
            yield data[at + 16:at + 16 + length]
        at += 16 + length


def transport(frame):
    """(protocol, source, target, bytes from the transport header on), or
    None for what is no IP."""
    kind, ip = frame[12:14], frame[14:]
    if kind == b"\x08\x00":
        head, total = (ip[0] & 15) * 4, struct.unpack(">H", ip[2:4])[0]
        return ip[9], ip[12:16], ip[16:20], ip[head:total]
    if kind == b"\x86\xdd":
        total = struct.unpack(">H", ip[4:6])[0]
        return ip[6], ip[8:24], ip[24:40], ip[40:40 + total]
    return None


def datagrams(path):
    """(target port, payload)."""
    for frame in frames(path):
        found = transport(frame)
        if found and found[0] == 17:
            yield struct.unpack(">H", found[3][2:4])[0], found[3][8:]


def _join(pieces, begin):
    """Payloads by sequence number, each byte once; ends at a gap."""
    out = bytearray()
    for offset, payload in sorted(
            ((seq - begin) & 0xFFFFFFFF, p) for seq, p in pieces):
        if offset > len(out):
            break
        out += payload[len(out) - offset:]
    return bytes(out)


def streams(path):
    """((source, port, target, port), bytes) of each TCP direction whose
    beginning was seen."""
    begins, pieces = {}, {}
    number = 0
    for frame in frames(path):
        found = transport(frame)
        if not found or found[0] != 6:
            continue
        _, source, target, tcp = found
        sport, tport, seq = struct.unpack(">HHI", tcp[:8])
        way = (source, sport, target, tport)
        payload = tcp[(tcp[12] >> 4) * 4:]
        if tcp[13] & 2:  # SYN: a new one, perhaps of the same ports
            if begins.get(way, (None, None))[1] != seq + 1:
                number += 1
                begins[way] = (number, seq + 1)
        elif way in begins and payload:
            pieces.setdefault((way,) + begins[way], []).append((seq, payload))
    for (way, _, begin), found in pieces.items():
        yield way, _join(found, begin & 0xFFFFFFFF)


def tls_records(stream):
    """(type, length) of each whole record; raises at what is none."""
    at, found = 0, []
    while at + 5 <= len(stream):
        kind, version, length = struct.unpack(">BHH", stream[at:at + 5])
        if kind not in (20, 21, 22, 23) or version not in (0x301, 0x303) or \
                length > 16384 + 256:
            raise AssertionError("no TLS record at byte %d: %s" % (
                at, stream[at:at + 16].hex()))
        found.append((kind, length))
        at += 5 + length
    return found
