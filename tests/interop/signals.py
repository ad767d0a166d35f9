"""Who is heard and seen: each sender has a tone and a color; receivers look at decoded samples and pixels."""

import colorsys
import fractions
import math

import numpy as np
from aiortc import MediaStreamTrack
from av import AudioFrame, VideoFrame
import asyncio
import time

RATE = 48_000
SIZE = (640, 360)


class Tone(MediaStreamTrack):
    """A steady sine."""

    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz, self.samples, self.start = hz, 0, None

    async def recv(self):
        self.start = self.start or time.time()
        await asyncio.sleep(max(0, self.start + self.samples / RATE - time.time()))
        places = (np.arange(960) + self.samples) * (2 * math.pi * self.hz / RATE)
        frame = AudioFrame.from_ndarray((np.sin(places) * 9_000).astype(np.int16).reshape(1, -1), layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.samples, fractions.Fraction(1, RATE)
        self.samples += 960
        return frame


class Color(MediaStreamTrack):
    """A picture of one hue with something that moves."""

    kind = "video"

    def __init__(self, hue):
        super().__init__()
        self.color = [round(255 * part) for part in colorsys.hsv_to_rgb(hue / 360, 1, 1)]
        self.count, self.start = 0, None

    async def recv(self):
        self.start = self.start or time.time()
        await asyncio.sleep(max(0, self.start + self.count / 15 - time.time()))
        picture = np.full((SIZE[1], SIZE[0], 3), self.color, dtype=np.uint8)
        left = self.count * 9 % (SIZE[0] - 30)
        picture[-40:-10, left : left + 30] = 255
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self.count * 6_000, fractions.Fraction(1, 90_000)
        self.count += 1
        return frame


def stands_out(samples, rate, hz):
    """True when the tone is 20 dB above the median of the spectrum, and not silence."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    at = round(hz * len(samples) / rate)
    peak = spectrum[max(0, at - 3) : at + 4].max()
    return bool(np.abs(samples).max() > 500 and peak > 10 * np.median(spectrum) + 1 and peak > 0.5 * spectrum.max())


def hue_of(picture):
    """Of the middle of an RGB picture."""
    height, width, _ = picture.shape
    color = picture[height // 2 - 8 : height // 2 + 8, width // 2 - 8 : width // 2 + 8].reshape(-1, 3).mean(axis=0) / 255
    return colorsys.rgb_to_hsv(*color)[0] * 360


def is_near(one, other):
    return min(abs(one - other), 360 - abs(one - other)) < 20
