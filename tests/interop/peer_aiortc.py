"""aiortc as publisher and as subscriber."""

import asyncio

import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from lesson import sources
from signals import Color, Tone, hue_of, is_near, stands_out


def connection():
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


class Publisher:
    """Speaks and shows."""

    def __init__(self, person):
        self.person, self.connection = person, connection()

    async def start(self, hz, hue):
        for track in (Tone(hz), Color(hue)):
            self.connection.addTransceiver(track, direction="sendonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp
        answer = await self.person.publisher_answer(sdp, sources(sdp))
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for source in ("microphone", "camera"):
            await self.person.publish(source)

    async def close(self):
        await self.connection.close()


class Subscriber:
    """Keeps what each slot decodes to: the last second of samples, the last picture, how many of each."""

    def __init__(self, person):
        self.person, self.connection = person, connection()
        self.sounds, self.pictures, self.counts, self.reading = {}, {}, {}, []

    async def start(self):
        @self.connection.on("track")
        def _(track):
            self.reading.append(asyncio.create_task(self._read(int(track.id.removeprefix("slot-")), track)))

        offer = await self.person.subscriber_offer()
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        await self.person.subscriber_answer(self.connection.localDescription.sdp)

    async def _read(self, slot, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.counts[slot] = self.counts.get(slot, 0) + 1
            if track.kind == "audio":
                samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(float)
                self.sounds[slot] = np.concatenate([self.sounds.get(slot, samples[:0]), samples])[-48_000:]
            else:
                self.pictures[slot] = frame.to_ndarray(format="rgb24")

    def hears(self, slot, hz):
        samples = self.sounds.get(slot)
        return samples is not None and len(samples) >= 24_000 and stands_out(samples[-24_000:], 48_000, hz)

    def sees(self, slot, hue):
        return slot in self.pictures and is_near(hue_of(self.pictures[slot]), hue)

    async def close(self):
        for task in self.reading:
            task.cancel()
        await self.connection.close()
