"""A client of signaling/PROTOCOL.md, and of nothing else: signs in, fetches a ticket, enters, publishes, receives."""

import asyncio
import json
import uuid

import aiohttp

PASSWORD = "qism-demo"


def command_id():
    """UUIDv7: what PROTOCOL.md asks of commands; only that they differ matters."""
    fresh = bytearray(uuid.uuid4().bytes)
    fresh[6] = fresh[6] & 0x0F | 0x70
    return str(uuid.UUID(bytes=bytes(fresh)))


class Refused(Exception):
    """The server's error code for a command."""


class Person:
    """Somebody in the lesson of now."""

    def __init__(self, server, login):
        self.server, self.login = server, login
        self.user = None
        self.frames = []
        self.offers = 0
        self._waiting = []

    async def enter(self):
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Origin": self.server})
        await self._post("/api/session", {"login": self.login, "password": PASSWORD})
        async with self.http.get(f"{self.server}/api/lessons") as answer:
            today = await answer.json()
        now = today["now"]
        lesson = next(it["lesson"] for it in today["lessons"] if it["starts_at"] <= now < it["ends_at"])
        ticket = await self._post(f"/api/lessons/{lesson}/ticket", {"session": str(uuid.uuid4())})
        self.socket = await self.http.ws_connect(self.server.replace("http", "ws", 1) + ticket["socket"])
        await self.send({"type": "hello", "version": 1, "ticket": ticket["ticket"]})
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ping())]
        welcome = await self.find(lambda frame: frame if frame["type"] == "welcome" else None)
        self.user = welcome["user"]
        return self

    async def _post(self, path, body):
        async with self.http.post(self.server + path, json=body) as answer:
            if answer.status >= 300:
                raise Refused(f"{path}: {answer.status} {await answer.text()}")
            return await answer.json() if answer.content_length else None

    async def _read(self):
        async for message in self.socket:
            frame = json.loads(message.data)
            self.frames.append(frame)
            self.offers += frame["type"] in ("subscriber_offer", "publisher_answer")
            for waiting in list(self._waiting):
                waiting(frame)

    async def _ping(self):
        """Whoever is silent for half a minute is put out."""
        while True:
            await asyncio.sleep(10)
            await self.send({"type": "ping", "nonce": 1})

    async def send(self, frame):
        await self.socket.send_str(json.dumps(frame))

    async def find(self, pick, seconds=15):
        """The first frame, of those that came or will come, that `pick` makes something of."""
        for frame in self.frames:
            if (found := pick(frame)) is not None:
                return found
        future = asyncio.get_running_loop().create_future()

        def look(frame):
            if not future.done() and (found := pick(frame)) is not None:
                future.set_result(found)

        self._waiting.append(look)
        try:
            return await asyncio.wait_for(future, seconds)
        finally:
            self._waiting.remove(look)

    async def command(self, command):
        """The number of the event that it became."""
        wanted = command_id()
        await self.send({"type": "command", "id": wanted, "command": command})
        answer = await self.find(lambda frame: frame if frame.get("id") == wanted else None)
        if answer["type"] != "accepted":
            raise Refused(answer["error"])
        return answer["number"]

    async def publish(self, source):
        return await self.command({"type": "publish", "source": source, "muted": False})

    async def publisher_answer(self, sdp, tracks):
        """Offers; `tracks` says which mid is which source. The answer."""
        await self.send({"type": "publisher_offer", "sdp": sdp, "tracks": tracks})
        return await self.find(lambda frame: frame["sdp"] if frame["type"] == "publisher_answer" else None)

    async def subscriber_offer(self, cameras=2):
        await self.send({"type": "open_subscriber", "cameras": cameras})
        return await self.find(lambda frame: frame["sdp"] if frame["type"] == "subscriber_offer" else None)

    async def subscriber_answer(self, sdp):
        await self.send({"type": "subscriber_answer", "sdp": sdp})

    async def want(self, user):
        """Everything, this one's camera first."""
        cameras = [{"user": user, "width": 640, "height": 360}]
        await self.send({"type": "receive", "mode": "everything", "cameras": cameras})

    async def slot_of(self, user, source):
        wanted = {"user": user, "source": source}
        return await self.find(lambda frame: frame["slot"] if frame["type"] == "slot_assigned" and frame["publication"] == wanted else None)

    async def leave(self):
        for task in self._tasks:
            task.cancel()
        await self.socket.close()
        await self.http.close()


def sections(sdp):
    """(kind, mid) of each media section."""
    found, kind = [], None
    for line in sdp.splitlines():
        if line.startswith("m="):
            kind = line[2:].split()[0]
        if line.startswith("a=mid:"):
            found.append((kind, line[6:]))
    return found


def sources(sdp):
    """One's first sound is the microphone, one's first picture the camera."""
    named = {"audio": "microphone", "video": "camera"}
    return [{"mid": mid, "source": named[kind]} for kind, mid in sections(sdp) if kind in named]
