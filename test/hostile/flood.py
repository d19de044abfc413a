"""Sends datagrams of a file to a port, so many a second for so long, from this
network namespace: flood.py FILE ADDRESS RATE SECONDS TTL. Each 64 bytes of the
file are one. Prints how many it sent."""

import socket
import sys
import time

SIZE = 64


def main(path, address, rate, seconds, ttl):
    with open(path, "rb") as f:
        data = f.read()
    packets = [data[i:i + SIZE] for i in range(0, len(data), SIZE)]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(ttl))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, int(ttl))
    begin, sent, rate = time.monotonic(), 0, int(rate)
    while time.monotonic() - begin < float(seconds):
        due = int((time.monotonic() - begin) * rate) + 1
        for i in range(sent, due):
            s.sendto(packets[i % len(packets)], (address, 4748))
        sent = due
        time.sleep(0.001)
    print(sent)


if __name__ == "__main__":
    main(*sys.argv[1:])
