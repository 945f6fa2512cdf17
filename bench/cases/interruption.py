"""From a flush being called for to silence: ours, NumPy's callback and rtmixer, alone and under the GIL hog.

The same three players as in the case ``callback``, playing a sine on the virtual sound card. The time runs from just
before the call of flush, in Python, to the return of the callback that gave the first block ending in silence, as a
probe in C sees it from outside; ours and NumPy's fade for 5 ms first, rtmixer cannot. ``ours_*_acknowledged_p95_ms`` is
what our own histogram says of the same flushes.

Steps are in units of the sine's own largest one. ``click_step_ratio`` is read off a recording of the card: the largest
step about each end and each beginning of our sound, p95 over all, alone and under the hog. ``*_handed_step_ratio``
is the largest that a player has ever handed to PortAudio.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from bench.peers.card import SAMPLERATE, SINK, sound_card
from bench.peers.hogs import Load
from bench.peers.players import CHANNELS, PLAYERS, Float, Ours, Sounding
from tests.support.soundcard import SoundCard

TARGETS = {
    "flush_p95_ratio_vs_numpy_hog": (">=", 15.0),
    "flush_p95_hog_over_idle": ("<=", 1.5),
    "click_step_ratio": ("<=", 1.2),
}

LOADS = ("alone", "hog")

#: More than a hogged process needs from a play to the flush after it.
CONTENT_S = 20.0
HZ, LEVEL = 440.0, 0.4
SILENT, PAUSE_FRAMES, ABOUT_FRAMES = 1e-6, 240, 480

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


def run(quick: bool) -> dict[str, float]:
    """Flush, and compare."""
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
    return figures
