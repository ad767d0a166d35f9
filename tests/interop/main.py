"""Peers that are not ours in real lessons: aiortc, GStreamer and FFmpeg publish or receive through the signaling that PROTOCOL.md tells. Judged by
the sender's tone in decoded samples and its color in decoded pixels.  main.py SERVER [SCENARIO…]"""

import asyncio
import base64
import colorsys
import json
import sys
import time
from pathlib import Path

import numpy as np
from aiohttp import web

from lesson import Person, sources
from peer_aiortc import Publisher, Subscriber
from signals import hue_of, is_near, stands_out

HERE = Path(__file__).parent
HZ, HUE = 700, 210
PATIENCE = 30
ROUNDS = 200


async def eventually(what, holds, seconds=PATIENCE):
    end = time.time() + seconds
    while not holds():
        if time.time() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.1)


class Lesson:
    """A teacher who publishes somehow and a student who receives somehow."""

    def __init__(self, server):
        self.server = server

    async def __aenter__(self):
        self.teacher = await Person(self.server, "teacher1").enter()
        self.student = await Person(self.server, "student1").enter()
        return self

    async def __aexit__(self, *_):
        await self.teacher.leave()
        await self.student.leave()

    async def hears(self, subscriber):
        await eventually("the tone is heard", lambda: subscriber.hears(0, HZ))

    async def hears_and_sees(self, subscriber):
        await self.student.want(self.teacher.user)
        camera = await self.student.slot_of(self.teacher.user, "camera")
        await self.hears(subscriber)
        await eventually("the color is seen", lambda: subscriber.sees(camera, HUE))


class Child:
    """A peer in a process of its own that speaks JSON lines."""

    async def start(self, *command):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20)
        self.lines, self.sounds, self.colors = [], {}, {}
        self.reading = asyncio.create_task(self._read())
        return self

    async def _read(self):
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            if "samples" in told:
                self.sounds[told["slot"]] = np.frombuffer(base64.b64decode(told["samples"]), dtype="<i2").astype(float)
            elif "color" in told:
                self.colors[told["slot"]] = told["color"]
            else:
                self.lines.append(told)

    async def word(self, name):
        await eventually(f"its {name}", lambda: any(name in line for line in self.lines))
        return next(line[name] for line in self.lines if name in line)

    async def tell(self, **line):
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        await self.process.stdin.drain()

    def hears(self, slot, hz):
        return slot in self.sounds and stands_out(self.sounds[slot], 48_000, hz)

    def sees(self, slot, hue):
        color = self.colors.get(slot)
        return color is not None and is_near(hue_of(np.array(color, dtype=float).reshape(1, 1, 3).repeat(16, 0).repeat(16, 1)), hue)

    async def close(self):
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 5)
        except TimeoutError:
            self.process.kill()
        self.reading.cancel()


async def gstreamer(mode, *options):
    return await Child().start("/usr/bin/python3", str(HERE / "peer_gstreamer.py"), mode, *map(str, options))


async def aiortc_to_aiortc(lesson):
    publisher, subscriber = Publisher(lesson.teacher), Subscriber(lesson.student)
    await subscriber.start()
    await publisher.start(HZ, HUE)
    await lesson.hears_and_sees(subscriber)
    await publisher.close()
    await subscriber.close()


async def gstreamer_to_aiortc(lesson):
    subscriber = Subscriber(lesson.student)
    await subscriber.start()
    color = (round(255 * part) for part in colorsys.hsv_to_rgb(HUE / 360, 1, 1))
    peer = await gstreamer("publish", HZ, *color)
    offer = await peer.word("offer")
    await peer.tell(answer=await lesson.teacher.publisher_answer(offer, sources(offer)))
    for source in ("microphone", "camera"):
        await lesson.teacher.publish(source)
    await lesson.hears_and_sees(subscriber)
    await peer.close()
    await subscriber.close()


async def aiortc_to_gstreamer(lesson):
    peer = await gstreamer("subscribe")
    await peer.tell(offer=await lesson.student.subscriber_offer())
    await lesson.student.subscriber_answer(await peer.word("answer"))
    publisher = Publisher(lesson.teacher)
    await publisher.start(HZ, HUE)
    await lesson.hears_and_sees(peer)
    await peer.close()
    await publisher.close()


async def ffmpeg_to_aiortc(lesson):
    """FFmpeg speaks WHIP: its offer is passed on as ours."""

    async def post(request):
        offer = await request.text()
        answer = await lesson.teacher.publisher_answer(offer, sources(offer))
        return web.Response(status=201, text=answer, content_type="application/sdp", headers={"Location": "/whip/1"})

    application = web.Application()
    application.add_routes([web.post("/whip", post), web.delete("/whip/1", lambda _: web.Response())])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    subscriber = Subscriber(lesson.student)
    await subscriber.start()
    peer = await asyncio.create_subprocess_exec(sys.executable, str(HERE / "peer_ffmpeg.py"), f"http://127.0.0.1:{port}/whip", str(HZ), "40")
    await lesson.teacher.find(lambda frame: frame if frame["type"] == "publisher_answer" else None, PATIENCE)
    await lesson.teacher.publish("microphone")
    await lesson.hears(subscriber)
    peer.kill()
    await peer.wait()
    await subscriber.close()
    await runner.cleanup()


async def publications_come_and_go(lesson):
    """So many times, without another offer or answer; and the last one is seen."""
    publisher, subscriber = Publisher(lesson.teacher), Subscriber(lesson.student)
    await subscriber.start()
    await publisher.start(HZ, HUE)
    await lesson.hears_and_sees(subscriber)
    before = lesson.teacher.offers + lesson.student.offers
    for _ in range(ROUNDS):
        await lesson.teacher.command({"type": "unpublish", "source": "camera"})
        await lesson.teacher.publish("camera")
        await asyncio.sleep(0.12)  # twenty frames a second are taken
    camera = await lesson.student.slot_of(lesson.teacher.user, "camera")
    count = subscriber.counts[camera]
    await eventually("pictures come again", lambda: subscriber.counts[camera] > count + 5)
    assert subscriber.sees(camera, HUE)
    renegotiations = lesson.teacher.offers + lesson.student.offers - before
    assert renegotiations == 0, f"{renegotiations} renegotiations"
    await publisher.close()
    await subscriber.close()


SCENARIOS = [aiortc_to_aiortc, gstreamer_to_aiortc, aiortc_to_gstreamer, ffmpeg_to_aiortc, publications_come_and_go]


async def main(server, wanted):
    failed = 0
    for scenario in SCENARIOS:
        if wanted and scenario.__name__ not in wanted:
            continue
        start = time.time()
        try:
            async with Lesson(server) as lesson:
                await scenario(lesson)
            print(f"{scenario.__name__}: ok, {time.time() - start:.1f} s", flush=True)
        except Exception as error:  # each scenario is told, whatever became of it
            failed += 1
            print(f"{scenario.__name__}: FAILED: {type(error).__name__} {error}", flush=True)
    return failed


sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])) > 0)
