"""How often a short appearance in a video is among the frames that are looked at, by three ways to choose them.

python benchmarks/video_sampling.py [CLIPS [KIND]]: clips of 10 to 60 s in which one red thing shows for 0.2 to 2 s.
"cut": an edited clip, shots of 1 to 6 s, the red one among them, as x264 codes it. "unseen": the same with one texture
for all shots, which x264 takes for one scene in changing light, so that it puts no key frames at cuts. "pan": one
take, the red thing comes into view without a cut, a key frame a second as phones write them. Needs bladecheck[video].
"""

from __future__ import annotations

import io
import random
import sys
from fractions import Fraction
from typing import Any

import av
import numpy as np

from bladecheck.core.video_limits import VideoLimits
from bladecheck.core.videos import sampling
from bladecheck.core.videos.decoding import Video

RATE, SIZE, FRAMES = 25, (64, 96), 24
RED = (220, 30, 30)


def clip(seconds: float, shown: float, kind: str, chance: random.Random) -> tuple[bytes, float]:
    """A coded clip, and when the red thing begins to show."""
    start = chance.uniform(0.5, seconds - shown - 0.5)
    cuts = [0.0]
    while cuts[-1] < seconds:
        cuts.append(cuts[-1] + chance.uniform(1, 6))
    colours = [tuple(chance.randrange(20, 160) for _ in range(3)) for _ in cuts]
    depth = 90 if kind == "cut" else 40
    noises = [np.random.default_rng(chance.randrange(10**6)).integers(0, depth, (*SIZE, 3)) for _ in (*cuts, 0)]
    if kind != "cut":
        noises = [noises[0]] * len(noises)
    buffer = io.BytesIO()
    options = {"threads": "1"} | ({"g": str(RATE), "sc_threshold": "0"} if kind == "pan" else {})
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = out.add_stream("libx264", rate=RATE, options=options)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(round(seconds * RATE)):
            now = number / RATE
            shot = sum(cut <= now for cut in cuts) - 1 if kind != "pan" else 0
            picture = np.clip(np.roll(noises[shot], number, 1) + np.array(colours[shot]), 0, 255).astype(np.uint8)
            if start <= now < start + shown:
                picture[10:50, 20:70] = RED
                if kind == "unseen":
                    picture[:] = RED
                if kind == "cut":
                    picture[:] = np.clip(np.roll(noises[-1], number, 1) // 2 + np.array(RED) - 30, 0, 255)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue(), start


def times(data: bytes, way: str) -> list[float]:
    """When the frames show that this way looks at."""
    video = Video(data, VideoLimits(frames=FRAMES), None)
    if way == "both":
        return video.look()[0].times
    first = min(frame.at for frame in video.coded)
    if way == "even":
        found = sampling.even_positions(video.coded, FRAMES, first + round(video.seconds / video._clock))
    else:
        found = sampling.key_positions(video.coded, FRAMES)
    return [float((video.coded[position].at - first) * video._clock) for position in found]


def main() -> None:
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    print(f"kind  shown  {'':5}even {FRAMES}   key frames {FRAMES}   both {FRAMES}   (found of {clips} clips)")
    for kind in sys.argv[2:] or ("cut", "unseen", "pan"):
        for shown in (0.2, 0.5, 1.0, 2.0):
            chance = random.Random(f"{kind}{shown}")
            found = dict.fromkeys(("even", "key", "both"), 0)
            for _ in range(clips):
                data, start = clip(chance.uniform(10, 60), shown, kind, chance)
                for way in found:
                    found[way] += any(start - 0.001 <= time < start + shown for time in times(data, way))
            print(f"{kind}   {shown:4} s {found['even']:12} {found['key']:15} {found['both']:10}", flush=True)


if __name__ == "__main__":
    main()
