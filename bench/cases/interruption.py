"""From a flush being called for to silence: ours, NumPy's callback and rtmixer, alone and under the GIL hog.

The same three players as in the case ``callback``, playing a sine on the virtual sound card. The time runs from just
before the call of flush, in Python, to the return of the callback that gave the first block ending in silence, as a
probe in C sees it from outside; ours and NumPy's fade for 5 ms first, rtmixer cannot. ``ours_*_acknowledged_p95_ms`` is
what our own histogram says of the same flushes.

Steps are in units of the sine's own largest one. ``click_step_ratio`` is read off a recording of the card: the largest
step about each end and each beginning of our sound, p95 over all, alone and under the hog. ``*_handed_step_ratio``
is the largest that a player has ever handed to PortAudio.

``duck_blocks_under_hog`` is the reflex: blocks of playback that begin from the capture callback being given a word to
the block that is quieter for it, the most of all trials. Both callbacks run in plain threads, at the pace of a device
and at any phase to each other. ``python_duck_blocks_*`` is the same callbacks' when a thread in Python looks at what
was captured, every millisecond, and asks for the duck; it is given up after 100 blocks. Trials take turns.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.peers.card import SAMPLERATE, SINK, sound_card
from bench.peers.hogs import Load
from bench.peers.players import CHANNELS, PLAYERS, Float, Ours, Sounding
from bench.peers.reflex import BLOCKSIZE as REFLEX_BLOCKSIZE
from bench.peers.reflex import CONTENT_LEVEL, DUCK_GAIN, PythonDuck, ReflexProbe, build_probe
from sottovoce.native.activity import Activity
from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from tests.support.soundcard import SoundCard

TARGETS = {
    "flush_p95_ratio_vs_numpy_hog": (">=", 15.0),
    "flush_p95_hog_over_idle": ("<=", 1.5),
    "click_step_ratio": ("<=", 1.2),
    "duck_blocks_under_hog": ("<=", 2.0),
}

LOADS = ("alone", "hog")

#: More than a hogged process needs from a play to the flush after it.
CONTENT_S = 20.0
HZ, LEVEL = 440.0, 0.4
SILENT, PAUSE_FRAMES, ABOUT_FRAMES = 1e-6, 240, 480

BLOCK_NS = REFLEX_BLOCKSIZE * 1_000_000_000 // SAMPLERATE

#: Between hearing the new sound and flushing it, so that flushes fall on any part of a block; drawn evenly.
LISTEN_S = (0.05, 0.15)


@dataclass(slots=True)
class Measured:
    """All that was measured of one player under one load."""

    latencies_ms: list[float] = field(default_factory=list)
    acknowledged_p95_ms: list[float] = field(default_factory=list)
    handed_step: float = 0.0
    edge_steps: list[float] = field(default_factory=list)

    @property
    def p95_ms(self) -> float:
        return float(np.percentile(self.latencies_ms, 95))


def sine() -> Float:
    """What is played, from its zero crossing on: its beginning is no click."""
    one = LEVEL * np.sin(2 * np.pi * HZ / SAMPLERATE * np.arange(1, CONTENT_S * SAMPLERATE + 1))
    return np.repeat(one[:, None], CHANNELS, axis=1).astype(np.float32)


def largest_step(x: Float) -> float:
    """Between neighbouring frames."""
    return float(np.abs(np.diff(x, axis=0)).max(initial=0.0))


def edge_steps(heard: Float) -> list[float]:
    """The largest step about each end and each beginning of sound."""
    silent = np.abs(heard).max(axis=1) < SILENT
    edges = np.flatnonzero(np.diff(silent, prepend=True, append=True))  # beginning, end, beginning, end
    ends, beginnings = edges[1:-1:2], edges[2::2]
    pauses = beginnings - ends >= PAUSE_FRAMES  # shorter ones are of a fade, or of the sine
    return [
        largest_step(heard[max(0, edge - ABOUT_FRAMES) : edge + ABOUT_FRAMES])
        for edge in np.concatenate([edges[:1], ends[pauses], beginnings[pauses], edges[-1:]])
    ]


def flush_once(sounding: Sounding, signal: Float, listen_s: float) -> float:
    """Play, flush, and wait for silence; milliseconds from the call to the silence."""
    sounding.player.play([signal])
    sounding.wait(lambda probe: probe.silent_since_ns == 0, "sound")
    time.sleep(listen_s)
    if sounding.player.probe.silent_since_ns:
        raise RuntimeError("it had ended by itself before the flush; give it more to play")
    called_ns = time.monotonic_ns()
    sounding.player.flush()
    sounding.wait(lambda probe: probe.silent_since_ns != 0, "silence")
    return (sounding.player.probe.silent_since_ns - called_ns) / 1e6


def take_turn(card: SoundCard, name: str, load: str, seconds: float, measured: Measured) -> None:
    """Play and flush for so long under a load."""
    rng, signal = random.Random(len(measured.latencies_ms)), sine()
    with Sounding(name, seconds + 3 * CONTENT_S) as sounding:
        sounding.wait(lambda probe: probe.blocks > 0, "a block")
        recording = card.record(SINK, SAMPLERATE)
        with Load(load):
            deadline_s = time.monotonic() + seconds
            while time.monotonic() < deadline_s:
                measured.latencies_ms.append(flush_once(sounding, signal, rng.uniform(*LISTEN_S)))
        measured.edge_steps += edge_steps(recording.stop())
        measured.handed_step = max(measured.handed_step, sounding.player.probe.largest_step)
        if isinstance(sounding.player, Ours):
            measured.acknowledged_p95_ms.append(sounding.player.flush_p95_ms)


def duck_once(probe: ReflexProbe, holder: str, offset_ns: int) -> int:
    """Play, say a word, and count the blocks until it is quieter."""
    mixer = Mixer(SAMPLERATE, 1)
    source = mixer.add_source(SAMPLERATE, 1, 1 << 16)
    source.write(np.full((1 << 16, 1), CONTENT_LEVEL, np.float32), source.generation)
    activity = Activity()
    activity.configure(hold_s=60.0)
    capturing = CaptureCallback(Ring(1 << 16, 1), SAMPLERATE, 1, SAMPLERATE, 0, activity=activity)
    with ExitStack() as stack:
        if holder == "ours":
            mixer.yield_to(activity, DUCK_GAIN)
        else:
            stack.enter_context(PythonDuck(capturing.ring, source))
        word = np.asarray(0.1 * np.sin(2 * np.pi * 300 / SAMPLERATE * np.arange(REFLEX_BLOCKSIZE)), np.float32)
        playing = PlaybackCallback(mixer, 0)
        return probe.blocks_until_ducked(
            capturing, playing, word[:, None], holding=False, period_ns=BLOCK_NS, offset_ns=offset_ns
        )


def duck(trials: int) -> dict[str, float]:
    """The reflex, alone and under the hog."""
    rng = random.Random(5)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        probe = build_probe(Path(folder))
        for load in LOADS:
            blocks: dict[str, list[int]] = {"ours": [], "python": []}
            with Load(load):
                for _ in range(trials):
                    for holder, counted in blocks.items():
                        counted.append(duck_once(probe, holder, rng.randrange(BLOCK_NS)))
            figures[f"python_duck_blocks_{load}_p50"] = float(np.median(blocks["python"]))
            figures[f"python_duck_blocks_{load}_p95"] = float(np.percentile(blocks["python"], 95))
            figures[f"ours_duck_blocks_{load}_p50"] = float(np.median(blocks["ours"]))
            figures[f"duck_blocks_{'under_hog' if load == 'hog' else load}"] = float(max(blocks["ours"]))
    return figures


def run(quick: bool) -> dict[str, float]:
    """Flush and duck, and compare."""
    results: dict[tuple[str, str], Measured] = defaultdict(Measured)
    with sound_card() as card:
        for _ in range(1 if quick else 6):
            for load in LOADS:
                for name in PLAYERS:
                    seconds = 3.0 if quick else 15.0
                    take_turn(card, name, load, seconds * (2 if load == "hog" else 1), results[name, load])
    own_step = largest_step(sine())
    ours = {load: results["ours", load] for load in LOADS}
    figures = {
        "flush_p95_ratio_vs_numpy_hog": results["numpy", "hog"].p95_ms / ours["hog"].p95_ms,
        "flush_p95_hog_over_idle": ours["hog"].p95_ms / ours["alone"].p95_ms,
        "click_step_ratio": float(np.percentile(ours["alone"].edge_steps + ours["hog"].edge_steps, 95)) / own_step,
    }
    for (name, load), measured in results.items():
        figures[f"{name}_{load}_flushes"] = len(measured.latencies_ms)
        figures[f"{name}_{load}_p50_ms"] = float(np.median(measured.latencies_ms))
        figures[f"{name}_{load}_p95_ms"] = measured.p95_ms
        if measured.acknowledged_p95_ms:
            figures[f"{name}_{load}_acknowledged_p95_ms"] = float(np.median(measured.acknowledged_p95_ms))
        figures[f"{name}_{load}_handed_step_ratio"] = measured.handed_step / own_step
        figures[f"{name}_{load}_click_step_ratio"] = float(np.percentile(measured.edge_steps, 95)) / own_step
    return figures | duck(10 if quick else 60)
