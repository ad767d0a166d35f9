"""A cable between two network namespaces with delay, jitter, a bandwidth, a queue that drops what does not fit, and seeded losses: what
`tc netem` would do where the kernel has none. Everything that passes between the two ends passes here, whatever protocol it speaks.

    python3 cable.py NEAR FAR PID [SEED]

makes a device NEAR in this namespace and FAR in that of the process PID, says "ready", and takes one JSON object per line of its input, for both
directions from then on: delay_ms (one way), jitter_ms (at most so much is added; order is kept), kbps (0: as wide as wanted), queue_ms (what would
wait longer is dropped at the tail), loss_percent (of everything but ARP, without which nobody finds anybody). It ends with its input.
"""

import fcntl
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
LONGEST_FRAME = 65_536
# No mobile network carries the header of Ethernet.
ETHERNET = 14
ARP = b"\x08\x06"
FRAMES_AT_ONCE = 64


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


class Direction:
    """One way through the cable."""

    def __init__(self, source, sink, seed):
        self.source, self.sink = source, sink
        self.random = random.Random(seed)
        # When the last bit of what waits has left, and when the newest frame arrives.
        self.busy = self.newest = 0.0
        self.traveling = deque()

    def take(self, nature, now):
        """Takes what the near device sends."""
        for _ in range(FRAMES_AT_ONCE):
            try:
                frame = os.read(self.source, LONGEST_FRAME)
            except (BlockingIOError, OSError):
                return
            self.send(frame, nature, now)

    def send(self, frame, nature, now):
        self.busy = max(self.busy, now)
        if nature["kbps"] > 0:
            if self.busy > now + nature["queue_ms"] / 1_000:
                return
            self.busy += (len(frame) - ETHERNET) * 8 / (nature["kbps"] * 1_000)
        if frame[12:14] != ARP and self.random.random() * 100 < nature["loss_percent"]:
            return
        late = (nature["delay_ms"] + self.random.random() * nature["jitter_ms"]) / 1_000
        self.newest = max(self.newest, self.busy + late)
        self.traveling.append((self.newest, frame))

    def deliver(self, now):
        """Gives the far device what is there by now; when the next comes, if any does."""
        while self.traveling and self.traveling[0][0] <= now:
            try:
                os.write(self.sink, self.traveling.popleft()[1])
            except OSError:
                pass  # A device that is down, or as full as a real one may be.
        return self.traveling[0][0] if self.traveling else None


def main():
    near_name, far_name, pid = sys.argv[1:4]
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    near, far = open_device(near_name), open_device(far_name)
    subprocess.run(["ip", "link", "set", far_name, "netns", pid], check=True)
    os.nice(-10)
    nature = {"delay_ms": 0, "jitter_ms": 0, "kbps": 0, "queue_ms": 300, "loss_percent": 0}
    ways = [Direction(near, far, seed), Direction(far, near, seed + 1)]
    print("ready", flush=True)
    orders = b""
    while True:
        now = time.monotonic()
        due = [at for at in (way.deliver(now) for way in ways) if at is not None]
        patience = max(0.0, min(due) - now) if due else None
        readable, _, _ = select.select([near, far, sys.stdin.fileno()], [], [], patience)
        now = time.monotonic()
        for way in ways:
            if way.source in readable:
                way.take(nature, now)
        if sys.stdin.fileno() in readable:
            said = os.read(sys.stdin.fileno(), 4_096)
            if not said:
                return
            *lines, orders = (orders + said).split(b"\n")
            for line in lines:
                nature.update(json.loads(line))


if __name__ == "__main__":
    main()
