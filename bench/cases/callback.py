"""The live playback callback beside NumPy's and rtmixer's: alone, under two Python loops, under a GIL hog.

256 frames at 48 kHz, stereo, on the virtual sound card, all three with the same latency, taking turns in one process,
in which the load runs too. A probe in C stands before each callback and measures it from outside, so that a wait for
the GIL counts. Silence is read off a recording of the card. What is played lies in memory before the load begins, for
all three.

``late_callbacks`` took longer than the period of their block; ``p999_of_period_pct`` is our p99.9 alone, in percent of
that period; ``sources32_over_sources1`` compares p99.9, too, and ``sources32_over_sources1_p50`` the medians. Where
nothing was silent, one frame counts as silent. ``ours`` asks for realtime priority as it always does; nobody else does.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.peers.card import SAMPLERATE, SINK, sound_card
from bench.peers.hogs import LOADS, Load
from bench.peers.players import BLOCKSIZE, CHANNELS, PLAYERS, Float, Sounding
from tests.support.soundcard import SoundCard

TARGETS = {
    "p50_ratio_vs_numpy": (">=", 30.0),
    "p999_hog_ratio_vs_numpy": (">=", 10_000.0),
    "p999_hog_over_idle": ("<=", 2.0),
    "late_callbacks": ("<=", 0.0),
    "callbacks": (">=", 100_000.0),
    "silence_ratio_vs_numpy_hog": (">=", 1000.0),
    "p999_of_period_pct": ("<=", 1.0),
    "sources32_over_sources1": ("<=", 16.0),
}

PERIOD_NS = BLOCKSIZE * 1e9 / SAMPLERATE
MANY_SOURCES = 32
MANY = f"ours{MANY_SOURCES}"

#: Blocks until a new stream has filled the card's buffer and runs evenly.
SETTLED_BLOCKS = 60
#: A hogged process notices late that its turn is over.
SPARE_S = 20.0
#: From a block being played to its being recorded, and more.
MARGIN_S = 0.5

SILENT = 1e-4
QUIETEST = 0.02


@dataclass(slots=True)
class Measured:
    """All that was measured of one player under one load."""

    durations_ns: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    recorded_frames: int = 0
    silent_frames: int = 0
    recreates: int = 0

    def us(self, percentile: float) -> float:
        """A percentile of the durations in microseconds."""
        return float(np.percentile(np.concatenate(self.durations_ns), percentile)) / 1e3

    @property
    def callbacks(self) -> int:
        return sum(map(len, self.durations_ns))

    @property
    def late(self) -> int:
        return int(sum(np.count_nonzero(durations > PERIOD_NS) for durations in self.durations_ns))

    @property
    def silence(self) -> float:
        """Share of the recording that is silent, of which a single frame can be seen."""
        return max(self.silent_frames, 1) / self.recorded_frames


def loud_noise(seconds: float, sources: int) -> list[Float]:
    """Signals that are never silent, and together never clip."""
    rng = np.random.default_rng(sources)
    frames = round(seconds * SAMPLERATE)
    sign = rng.choice(np.array([-1, 1], np.float32), frames) if sources == 1 else np.ones(frames, np.float32)
    one = sign * rng.uniform(QUIETEST, 0.9 / sources, frames).astype(np.float32)
    return [np.repeat(one[:, None], CHANNELS, axis=1)] * sources


def take_turn(card: SoundCard, name: str, sources: int, load: str, seconds: float, measured: Measured) -> None:
    """Play for so long under a load."""
    longest_s = seconds + SPARE_S
    with Sounding(name, longest_s) as sounding:
        probe = sounding.player.probe
        sounding.player.play(loud_noise(longest_s, sources))
        sounding.wait(lambda probe: probe.silent_since_ns == 0 and probe.blocks > SETTLED_BLOCKS, "sound")
        recording = card.record(SINK, SAMPLERATE)
        began_s = time.monotonic()
        with Load(load):
            time.sleep(MARGIN_S)
            from_s, first = time.monotonic(), probe.blocks
            time.sleep(seconds)
            sounding.wait(lambda probe: probe.blocks > first, "a block")  # NumPy's may take longer than a turn
            to_s, last = time.monotonic(), probe.blocks
            if probe.silent_since_ns:
                raise RuntimeError(f"{name} ran dry under {load}: nothing was measured; give it more to play")
        heard = recording.stop()
    measured.recreates += probe.streams - 1
    measured.durations_ns.append(probe.durations_ns(first, last))
    heard = heard[round((from_s - began_s) * SAMPLERATE) : round((to_s - began_s) * SAMPLERATE)]
    measured.recorded_frames += len(heard)
    measured.silent_frames += int(np.count_nonzero(np.abs(heard).max(axis=1) < SILENT))


def measure(quick: bool) -> dict[tuple[str, str], Measured]:
    """Let all of them take turns until there are callbacks enough; by name and load."""
    results: dict[tuple[str, str], Measured] = defaultdict(Measured)
    turn_s = {name: 1.5 if quick else 12.0 if name == "ours" else 4.0 for name in PLAYERS}
    wanted = 0 if quick else TARGETS["callbacks"][1]
    with sound_card() as card:
        while True:
            for load in LOADS:
                for name in PLAYERS:
                    take_turn(card, name, 1, load, turn_s[name], results[name, load])
            take_turn(card, "ours", MANY_SOURCES, "alone", 1.5 if quick else 4.0, results[MANY, "alone"])
            if sum(results["ours", load].callbacks for load in LOADS) >= wanted:
                return dict(results)


def run(quick: bool) -> dict[str, float]:
    """Play, and compare."""
    results = measure(quick)
    ours, others = {load: results["ours", load] for load in LOADS}, {load: results["numpy", load] for load in LOADS}
    late: Counter[str] = Counter()
    figures: dict[str, float] = {}
    for (name, load), measured in results.items():
        late[name] += measured.late
        figures[f"{name}_{load}_callbacks"] = measured.callbacks
        figures[f"{name}_{load}_p50_us"] = measured.us(50)
        figures[f"{name}_{load}_p999_us"] = measured.us(99.9)
        figures[f"{name}_{load}_max_us"] = measured.us(100)
        figures[f"{name}_{load}_silence_pct"] = 100 * measured.silent_frames / measured.recorded_frames
    return {
        "p50_ratio_vs_numpy": others["alone"].us(50) / ours["alone"].us(50),
        "p999_hog_ratio_vs_numpy": others["hog"].us(99.9) / ours["hog"].us(99.9),
        "p999_hog_over_idle": ours["hog"].us(99.9) / ours["alone"].us(99.9),
        "late_callbacks": late["ours"],
        "callbacks": sum(measured.callbacks for measured in ours.values()),
        "silence_ratio_vs_numpy_hog": others["hog"].silence / ours["hog"].silence,
        "p999_of_period_pct": 100e3 * ours["alone"].us(99.9) / PERIOD_NS,
        "sources32_over_sources1": results[MANY, "alone"].us(99.9) / ours["alone"].us(99.9),
        "sources32_over_sources1_p50": results[MANY, "alone"].us(50) / ours["alone"].us(50),
        "numpy_late_callbacks": late["numpy"],
        "rtmixer_late_callbacks": late["rtmixer"],
        "ours_recreates": sum(measured.recreates for measured in results.values()),
        **figures,
    }
