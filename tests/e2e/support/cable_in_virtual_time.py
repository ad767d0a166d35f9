"""The arithmetic of cable.py in a time of its own: what a machine's pace has no part in."""

import os
import tempfile
import unittest

from cable import ARP, ETHERNET, Direction

NATURE = {"delay_ms": 0, "jitter_ms": 0, "kbps": 0, "queue_ms": 300, "loss_percent": 0}
IP = b"\x08\x00"


def frame(payload, kind=IP):
    return bytes(12) + kind + bytes(payload)


class Cable(unittest.TestCase):
    def setUp(self):
        self.far = tempfile.TemporaryFile()
        self.addCleanup(self.far.close)
        self.way = Direction(None, self.far.fileno(), 1)

    def delivered(self):
        return os.fstat(self.far.fileno()).st_size

    def arrivals(self, **nature):
        """Sends a hundred frames of 1,000 bytes at once; when each that is not dropped arrives, in milliseconds."""
        for _ in range(100):
            self.way.send(frame(1_000), NATURE | nature, 0.0)
        return [round(at * 1_000) for at, _ in self.way.traveling]

    def test_a_delay_is_exact_and_nothing_is_there_before(self):
        self.assertEqual(self.arrivals(delay_ms=100), [100] * 100)
        self.assertEqual(self.way.deliver(0.0999), 0.1)
        self.assertEqual(self.delivered(), 0)
        self.assertIsNone(self.way.deliver(0.1))
        self.assertEqual(self.delivered(), 100 * len(frame(1_000)))

    def test_jitter_keeps_the_order(self):
        came = self.arrivals(jitter_ms=50)
        self.assertEqual(came, sorted(came))
        self.assertTrue(0 <= came[0] and came[-1] <= 50)

    def test_what_a_narrow_one_does_not_take_waits_and_is_dropped_beyond_its_queue(self):
        # A thousand bytes take 10 ms at 800 kbit/s: one passes, 29 wait.
        self.assertEqual(self.arrivals(kbps=800, queue_ms=295), [10 * n for n in range(1, 31)])

    def test_its_queue_drains_as_time_goes_by(self):
        full = {"kbps": 800, "queue_ms": 295}
        self.arrivals(**full)
        self.way.send(frame(1_000), NATURE | full, 0.1)
        self.assertEqual(round(self.way.traveling[-1][0] * 1_000), 310)

    def test_so_much_is_lost_and_nothing_that_finds_a_neighbor(self):
        lost = NATURE | {"loss_percent": 20}
        for _ in range(10_000):
            self.way.send(frame(100), lost, 0.0)
        self.assertTrue(7_800 < len(self.way.traveling) < 8_200)
        self.way.traveling.clear()
        for _ in range(100):
            self.way.send(frame(46, ARP), NATURE | {"loss_percent": 100}, 0.0)
        self.assertEqual(len(self.way.traveling), 100)
        self.assertEqual(len(frame(100)) - ETHERNET, 100)


unittest.main()
