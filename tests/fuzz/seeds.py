#!/usr/bin/env python3
"""Writes the seeds of the corpora in tests/fixtures/fuzz, so that everybody can see what is in them. What browsers wrote themselves and what
fuzzing found lies there under names of its own and stays."""

import hashlib
import hmac
import json
import struct
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "fixtures"
FUZZ = ROOT / "fuzz"


def keep(target, seeds):
    folder = FUZZ / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in seeds.items():
        (folder / name).write_bytes(seed)


def messages(*parts):
    """Several messages in one input, each behind its length."""
    return b"".join(struct.pack(">H", len(part)) + part for part in parts)


def stun(ufrag="00000000ffffffffffffffff", kind=1, more=b"", password=b"a password of ours"):
    def attribute(number, value):
        return struct.pack(">HH", number, len(value)) + value + bytes(-len(value) % 4)

    def head(length):
        return struct.pack(">HHI", kind, length, 0x2112A442) + bytes(range(12))

    body = attribute(6, f"{ufrag}:peer".encode()) + more
    body += attribute(8, hmac.new(password, head(len(body) + 24) + body, hashlib.sha1).digest())
    checksum = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
    return head(len(body) + 8) + body + attribute(0x8028, struct.pack(">I", checksum))


PRIORITY = struct.pack(">HHI", 0x24, 4, 0x6E7F1EFF)
CONTROLLING = struct.pack(">HHQ", 0x802A, 8, 1)
NOMINATES = struct.pack(">HH", 0x25, 0)
CHECKS = {
    "check": stun(more=PRIORITY + CONTROLLING),
    "nomination": stun(more=PRIORITY + CONTROLLING + NOMINATES),
    "of_another_thread": stun("ff00000000"),
    "response": stun(kind=0x101),
    "bare": struct.pack(">HHI", 1, 0, 0x2112A442) + bytes(12),
}


def rtp(number, payload_type=111, ssrc=1001, marker=False, extensions=b"", payload=b"\xfc" * 40, padding=0, two_byte=False):
    first = 0x80 | (0x10 if extensions else 0) | (0x20 if padding else 0)
    packet = struct.pack(">BBHII", first, marker << 7 | payload_type, number & 0xFFFF, number * 960 & 0xFFFFFFFF, ssrc)
    if extensions:
        extensions += bytes(-len(extensions) % 4)
        packet += struct.pack(">HH", 0x1000 if two_byte else 0xBEDE, len(extensions) // 4) + extensions
    packet += payload
    return packet + bytes(padding - 1) + bytes([padding]) if padding else packet


def element(number, value):
    return bytes([number << 4 | len(value) - 1]) + value


# Ids as in the lesson of the tests: 1 mid, 2 rid, 3 repaired rid, 4 audio level, 5 transport-wide number.
VOICE = element(1, b"0") + element(4, b"\x85") + element(5, b"\x00\x07")


def picture_extensions(rid, repaired=False):
    return element(1, b"1") + element(3 if repaired else 2, rid) + element(5, b"\x01\x00")


def vp8(number, key=False, layer=0, data=b"\x07" * 60):
    head = bytes([0x90, 0xF0]) + struct.pack(">H", number & 0x7FFF | 0x8000) + bytes([number & 0xFF, layer << 6 | 0x20 | number & 0x1F])
    return head + (bytes([0x10, 0, 0, 0x9D, 1, 0x2A, 0x80, 2, 0x68, 1]) if key else bytes([0x11, 0, 0])) + data


PARAMETERS = bytes.fromhex("6742c0158c8d40a0cbcf37010d010784423500")
AGGREGATE = b"\x78" + b"".join(struct.pack(">H", len(unit)) + unit for unit in (PARAMETERS, b"\x68\xce\x3c\x80", b"\x65" * 30))
PICTURES = {
    "key_frame": vp8(1, key=True),
    "frame": vp8(2),
    "upper_layer": vp8(3, layer=2),
    "seven_bit_picture": b"\x90\x80\x05\x01\xff",
    "no_extension": b"\x10\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01",
    "one_byte": b"\x10",
    "empty": b"",
}
UNITS = {"parameters": PARAMETERS, "aggregate": AGGREGATE, "fragment": b"\x7c\x85" + bytes(40), "slice": b"\x41\x9a" + bytes(30)}


def camera(number, key=False, rid=b"l", ssrc=2001, **more):
    return rtp(number, 96, ssrc, True, picture_extensions(rid), vp8(number, key), **more)


def repair(number, original, rid=b"l"):
    return rtp(number, 97, 2002, False, picture_extensions(rid, True), struct.pack(">H", original) + vp8(original))


def rtcp(kind, count, body):
    return struct.pack(">BBH", 0x80 | count, kind, len(body) // 4) + body


def pair(ssrc):
    return struct.pack(">II", 1, ssrc)


# The subscriber's slots for a voice and for a camera.
SLOTS = [10_001, 10_006]
REPORTS = {
    "sender_report": rtcp(200, 0, struct.pack(">IIIIII", 2001, 0xE0000000, 0, 90_000, 10, 1_000)),
    "receiver_report": rtcp(201, 1, struct.pack(">IIIIIII", 1, SLOTS[0], 40 << 24, 7, 0, 0, 0)),
    "nack": rtcp(205, 1, pair(SLOTS[1]) + struct.pack(">HH", 7, 0x8001) * 4),
    "picture_loss": rtcp(206, 1, pair(SLOTS[1])),
    "full_intra": rtcp(206, 4, pair(0) + struct.pack(">IBBH", SLOTS[1], 1, 0, 0)),
    "remb": rtcp(206, 15, pair(0) + b"REMB" + struct.pack(">BBHI", 1, 0x0B, 0xFFFF, SLOTS[1])),
    "transport_cc": rtcp(205, 15, pair(SLOTS[1]) + struct.pack(">HHIHH", 1, 4, 0x00000101, 0x2004, 0x0404) + bytes([4, 4, 0, 0])),
    "transport_cc_vector": rtcp(205, 15, pair(SLOTS[1]) + struct.pack(">HHIH", 1, 7, 0x00000102, 0xD555) + bytes([4] * 6)),
    # Runs of 8,191 packets each: 65,535 in all, with a delta for a few.
    "transport_cc_of_everything": rtcp(205, 15, pair(SLOTS[1]) + struct.pack(">HHI", 1, 0xFFFF, 0x00000103) + b"\x3f\xff" * 9 + bytes(14)),
    "description": rtcp(202, 1, struct.pack(">IBB", 2001, 1, 4) + b"name" + bytes(2)),
    "goodbye": rtcp(203, 1, struct.pack(">I", 2001)),
    "extended": rtcp(207, 0, struct.pack(">IBBHIII", 1, 5, 0, 3, 2001, 0, 0)),
    "application": rtcp(204, 0, struct.pack(">I", 1) + b"qism"),
}


def record(body, sequence=0, kind=22, epoch=0):
    return struct.pack(">BHHHIH", kind, 0xFEFD, epoch, 0, sequence, len(body)) + body


def fragment(body, start, end, kind=1, message=0):
    number = lambda value: struct.pack(">I", value)[1:]
    return bytes([kind]) + number(len(body)) + struct.pack(">H", message) + number(start) + number(end - start) + body[start:end]


HELLO = (
    b"\xfe\xfd" + bytes(range(32)) + b"\x00\x00" + b"\x00\x04\xc0\x2b\xc0\x0a" + b"\x01\x00"
    + b"\x00\x29" + bytes.fromhex("0017 0000 000e 0007 0004 0001 0007 00 000a 0004 0002 0017 000b 0002 0100 000d 0004 0002 0403".replace(" ", ""))
)
HELLOS = {
    "whole": messages(record(fragment(HELLO, 0, len(HELLO)))),
    "in_two_datagrams": messages(record(fragment(HELLO, 40, len(HELLO))), record(fragment(HELLO, 0, 40), 1)),
    "in_two_records": messages(record(fragment(HELLO, 0, 40)) + record(fragment(HELLO, 40, len(HELLO)), 1)),
    "and_more": messages(record(fragment(HELLO, 0, len(HELLO))), record(b"\x02\x28", 1, 21), record(b"\x01", 2, 20), record(bytes(40), 0, 22, 1)),
}

keep("stun", CHECKS)
keep("rtp", {
    "voice": rtp(1, extensions=VOICE),
    "camera": camera(2, True),
    "two_byte_form": rtp(3, extensions=b"\x01\x010\x04\x01\x85\x05\x02\x00\x07", two_byte=True),
    "padded": rtp(4, padding=9),
    "only_padding": rtp(5, payload=b"", padding=200),
    "sources": struct.pack(">BBHIIIII", 0x83, 111, 6, 0, 1001, 1, 2, 3) + b"\xfc" * 9,
})
keep("vp8", PICTURES)
keep("h264", UNITS)
keep("rtcp", {name: messages(report) for name, report in REPORTS.items()} | {
    "compound": messages(REPORTS["receiver_report"] + REPORTS["description"] + REPORTS["nack"]),
    "all": messages(*REPORTS.values()),
    "many_at_once": messages(REPORTS["transport_cc_of_everything"] * 30, REPORTS["nack"] * 40),
})
keep("media", {
    "voice": messages(*(rtp(number, extensions=VOICE) for number in range(65_530, 65_560))),
    "camera": messages(*(camera(number, number % 10 == 0) for number in range(20, 60))),
    "both_layers": messages(*(packet for number in range(20) for packet in (camera(number, number == 0), camera(number, number == 0, b"h", 2003)))),
    "losses_and_repairs": messages(camera(1, True), camera(4), camera(7), repair(1, 2), repair(2, 3), REPORTS["transport_cc"], camera(8)),
    "h264": messages(rtp(1, 106, 2001, True, picture_extensions(b"l"), AGGREGATE), rtp(2, 106, 2001, True, picture_extensions(b"l"), UNITS["slice"])),
    "another_stream": messages(camera(1, True), camera(2), camera(1, True, ssrc=3001), camera(9, ssrc=3001)),
    "jump": messages(camera(1, True), camera(40_000), camera(2), camera(40_001, True)),
    "reports": messages(camera(1, True), camera(2), *REPORTS.values()),
    "empty_payloads": messages(rtp(1, 96, 2001, True, picture_extensions(b"l"), b""), rtp(2, 97, 2002, True, picture_extensions(b"l", True), b"\x00"), rtp(1, payload=b"")),
})
keep("framing", {
    "checks": messages(CHECKS["check"], CHECKS["nomination"]),
    "too_long": messages(CHECKS["check"]) + b"\x05\xdd" + bytes(1_501),
    "longest": b"\x05\xdc" + bytes(1_500),
    "empty_frames": bytes(8),
    "cut_short": messages(CHECKS["check"])[:40],
})
keep("first_bytes", {
    "media": messages(CHECKS["check"]),
    "http": b"GET / HTTP/1.1\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303"),
    "http2": b"PRI * HTTP/2.0\r\n\r\n",
    "nothing_we_speak": bytes([0, 20, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
})
keep("strangers", {
    "one_of_each": messages(CHECKS["check"], record(fragment(HELLO, 0, len(HELLO))), rtp(1, extensions=VOICE), REPORTS["nack"], b"\x40" * 30, b""),
    "checks": messages(*CHECKS.values()),
    "no_forgery": messages(bytes(120)),
    "http": messages(b"GET / HTTP/1.1\r\n\r\n"),
})
keep("demultiplexer", {
    "one_of_each": messages(CHECKS["check"], record(b"\x02\x28", 1, 21), rtp(1, extensions=VOICE), REPORTS["nack"], b"\x40" * 30, b"", b"\x80"),
    "alerts": messages(record(b"\x01\x00", 1, 21), record(b"\x01\x00", 1, 21), record(b"\x01\x00", 1, 21, 1), record(bytes(26), 1, 21, 1)),
    "hellos": messages(*[record(fragment(HELLO, 0, len(HELLO)))] * 3),
    "media": messages(*(camera(number, number == 2) for number in range(2, 9))),
    "streams_without_end": messages(*(rtp(1, ssrc=number, extensions=VOICE) for number in range(200))),
    # The last byte but thirteen says whether it is encrypted under AES-CM.
    "in_the_clear": messages(*(REPORTS[name] + bytes(14) for name in ("nack", "picture_loss", "goodbye"))),
})
openssl = FUZZ / "client_hello" / "hello_of_openssl"
if openssl.exists():
    HELLOS["of_openssl"] = openssl.read_bytes()
keep("client_hello", {name: hello for name, hello in HELLOS.items() if name != "of_openssl"})
keep("handshake", HELLOS)
frames = json.loads((ROOT / "protocol" / "client_frames.json").read_text())
named = {}
for frame in frames:
    name = frame["type"] + ("_" + frame["command"]["type"] if "command" in frame else "")
    named[name + ("_again" if name in named else "")] = json.dumps(frame, ensure_ascii=False).encode()
keep("frames", named)
keep("sdp", {
    "smallest": b"v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\na=fingerprint:sha-256 "
    + b":".join([b"0A"] * 32)
    + b"\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n",
    "refused_sections": b"v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:active\r\na=fingerprint:sha-256 "
    + b":".join([b"0A"] * 32)
    + b"\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\n",
})


def varint(number):
    """As postcard writes numbers: seven bits a byte, the lowest first."""
    low = bytes([number & 0x7F | (0x80 if number > 0x7F else 0)])
    return low + (varint(number >> 7) if number > 0x7F else b"")


def maybe(written):
    return b"\0" if written is None else b"\1" + written


def letter(user, source, word):
    """Of lesson 1; `source` 0 is the microphone, 1 the camera."""
    return b"\x10" + (1).to_bytes(16, "big") + b"\x10" + user.to_bytes(16, "big") + varint(source) + word


def shape(ssrc, version, generation, sizes, offset=None, layers=None):
    written = [maybe(size and varint(size[0]) + varint(size[1])) for size in (*sizes, None, None, None)[:3]]
    zigzag = None if offset is None else varint((offset << 1 ^ offset >> 63) & 2**64 - 1)
    head = varint(0) + varint(ssrc) + varint(version) + varint(0xEC000000 << 32) + varint(generation)
    return head + bytes([len(sizes) if layers is None else layers]) + b"".join(written) + maybe(zigzag)


def demand(layers, without_h264, seen):
    return varint(1) + maybe(None if layers is None else bytes([layers])) + varint(without_h264) + varint(seen)


LEAVE = varint(2)


def key_frame(layer):
    return varint(3) + bytes([layer])


def losses(*shares):
    return varint(4) + varint(len(shares)) + bytes(shares)


def app(*letters):
    body = b"".join(letters)
    body = bytes(4) + b"QISM" + struct.pack(">H", len(body)) + body
    words = (4 + len(body) + 3) // 4
    return (b"\x81\xcc" + struct.pack(">H", words - 1) + body).ljust(words * 4, b"\0")


def relayed(payload_type, number, ssrc, payload, captured=None):
    head = struct.pack(">BBHII", 0x80 if captured is None else 0x90, payload_type, number, number * 960, ssrc)
    return head + (b"" if captured is None else struct.pack(">HHI", 0x5143, 1, captured)) + payload


CAMERA = [relayed(96, number, 8, vp8(number, number == 1)) for number in (1, 2, 3, 1003, 1004)] + [relayed(96, 1, 9, vp8(1, True))]
keep("relay", {
    "comes": messages(
        app(letter(5, 0, shape(4, 1, 1, [None])), letter(5, 1, shape(8, 1, 1, [(320, 180), (640, 360)], -5))),
        *(relayed(111, number, 4, b"\xfc" * 20, number * 960) for number in (1, 2, 5, 4, 60, 3)),
        *CAMERA,
    ),
    "asked": messages(
        app(letter(2, 0, demand(None, 0, 0)), letter(2, 1, demand(3, 1, 0))),
        app(letter(2, 1, key_frame(1)), letter(2, 0, losses(0, 10, 200))),
        b"\x81\xcd\0\3\0\0\0\1\0\0\0\4\0\1\xff\xff",
        app(letter(2, 0, demand(None, 0, 1))),
        app(letter(2, 1, LEAVE)),
    ),
    "changes": messages(
        app(letter(5, 1, shape(8, 1, 1, [(320, 180)]))),
        CAMERA[0],
        app(letter(5, 1, shape(12, 2, 2, [None, None, None], 1 << 40))),
        relayed(96, 1, 14, vp8(9, True)),
        app(letter(5, 1, shape(16, 3, 3, []))),
        app(letter(5, 1, shape(16, 2, 2, [None]))),
    ),
    "strange": messages(
        app(letter(99, 3, demand(255, 2**32 - 1, 7))),
        app(b"\x10" * 40),
        app(letter(5, 0, shape(2**32 - 1, 2**32 - 1, 0, [(0, 0)] * 3, -(2**63), 255))),
        b"\x82\xcc\0\1",
        b"\x81\xcc",
    ),
})
