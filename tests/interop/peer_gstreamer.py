"""GStreamer's webrtcbin as publisher and as subscriber, in a process of its own under Debian's Python (which has its bindings). Speaks JSON
lines: descriptions both ways; as subscriber also what each slot decodes to.

    peer_gstreamer.py publish HZ RED GREEN BLUE   |   peer_gstreamer.py subscribe
"""

import base64
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

SECOND_OF_SOUND = 48_000 * 2


def tell(**line):
    print(json.dumps(line), flush=True)


def description(kind, text):
    _, message = GstSdp.SDPMessage.new_from_text(text)
    return GstWebRTC.WebRTCSessionDescription.new(kind, message)


def publishing(hz, red, green, blue):
    color = 0xFF000000 | int(red) << 16 | int(green) << 8 | int(blue)
    return (
        f"audiotestsrc is-live=true freq={hz} volume=0.4 ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=111 ! "
        "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! peer. "
        f"videotestsrc is-live=true pattern=solid-color foreground-color={color} ! video/x-raw,width=640,height=360,framerate=15/1 ! videoconvert ! "
        "vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay pt=96 picture-id-mode=15-bit ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer."
    )


class Peer:
    def __init__(self, mode, *options):
        Gst.init(None)
        peer = "webrtcbin name=peer bundle-policy=max-bundle "
        self.pipeline = Gst.parse_launch(f"pipeline. ( {peer} {publishing(*options) if mode == 'publish' else ''} )")
        self.peer = self.pipeline.get_by_name("peer")
        if mode == "publish":
            self.peer.connect("on-negotiation-needed", lambda _: self.describe("create-offer", "offer"))
        else:
            self.peer.connect("pad-added", self.receive)
        self.peer.connect("notify::ice-connection-state", lambda *_: tell(ice=self.peer.get_property("ice-connection-state").value_nick))
        self.peer.connect("notify::connection-state", lambda *_: tell(connection=self.peer.get_property("connection-state").value_nick))
        self.pipeline.set_state(Gst.State.PLAYING)

    def describe(self, signal, word):
        def made(promise):
            reply = promise.get_reply()  # owns what it holds
            ours = reply.get_value(word)
            self.peer.emit("set-local-description", ours, None)
            tell(**{word: ours.sdp.as_text()})

        self.peer.emit(signal, None, Gst.Promise.new_with_change_func(made))

    def take(self, line):
        if "answer" in line:
            self.peer.emit("set-remote-description", description(GstWebRTC.WebRTCSDPType.ANSWER, line["answer"]), None)
        else:
            offered = description(GstWebRTC.WebRTCSDPType.OFFER, line["offer"])
            done = Gst.Promise.new_with_change_func(lambda _: self.describe("create-answer", "answer"))
            self.peer.emit("set-remote-description", offered, done)

    def receive(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        slot = pad.get_property("transceiver").get_property("mlineindex")
        is_sound = pad.get_current_caps().get_structure(0).get_string("media") == "audio"
        chain = (
            "rtpopusdepay ! opusdec ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=48000"
            if is_sound
            else "rtpvp8depay ! vp8dec ! videoconvert ! videoscale ! video/x-raw,format=RGB,width=64,height=36"
        )
        decoding = Gst.parse_bin_from_description(f"queue ! {chain} ! appsink name=sink emit-signals=true sync=false", True)
        heard = bytearray()

        def sample(sink):
            buffer = sink.emit("pull-sample").get_buffer()
            data = buffer.extract_dup(0, buffer.get_size())
            if not is_sound:
                middle = data[(18 * 64 + 32) * 3 :][:3]
                tell(slot=slot, color=list(middle))
                return Gst.FlowReturn.OK
            heard.extend(data)
            if len(heard) >= SECOND_OF_SOUND // 2:
                tell(slot=slot, samples=base64.b64encode(bytes(heard)).decode())
                heard.clear()
            return Gst.FlowReturn.OK

        decoding.get_by_name("sink").connect("new-sample", sample)
        self.pipeline.add(decoding)
        decoding.sync_state_with_parent()
        pad.link(decoding.get_static_pad("sink"))


def main():
    peer, loop = Peer(*sys.argv[1:]), GLib.MainLoop()

    def read():
        for line in sys.stdin:
            GLib.idle_add(peer.take, json.loads(line))
        loop.quit()

    threading.Thread(target=read, daemon=True).start()
    loop.run()
    peer.pipeline.set_state(Gst.State.NULL)


main()
