"""FFmpeg's WHIP muxer as publisher of a voice, in a process of its own:  peer_ffmpeg.py URL HZ SECONDS. It sends H.264 alone as pictures, and a
camera here must come in VP8 too, so it only speaks. Its builds with GnuTLS make themselves a key on P-224, which WebRTC does not know
(RFC 8827 section 6.5): it gets one on P-256."""

import fractions
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

url, hz, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with tempfile.TemporaryDirectory() as folder:
    certificate, key = (str(Path(folder) / name) for name in ("cert.pem", "key.pem"))
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ffmpeg"
    subprocess.run([*made.split(), "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    container = av.open(url, "w", format="whip", options={"cert_file": certificate, "key_file": key})
    stream = container.add_stream("libopus", rate=48_000, layout="stereo")
    start = time.time()
    for count in range(int(seconds * 50)):
        places = (np.arange(960) + count * 960) * (2 * np.pi * hz / 48_000)
        sine = (np.sin(places) * 9_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(sine, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, count * 960, fractions.Fraction(1, 48_000)
        container.mux(stream.encode(frame))
        time.sleep(max(0, start + count / 50 - time.time()))
    container.close()
