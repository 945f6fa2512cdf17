"""Streaming resamplers side by side: speed in small blocks and at once, quality, latency; ratios to soxr.

Peers take turns within every round, and ratios are medians over rounds of the ratio within a round, so that a busy
second of a shared machine falls on both. Blocks are float32; the call from Python is part of the time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

import numpy as np

from bench.resample_peers import Float, Peer, Stream, peers
from bench.resample_quality import Quality, measure

PAIRS = {
    "24_48": (24000, 48000),
    "22_48": (22050, 48000),
    "16_48": (16000, 48000),
    "44_48": (44100, 48000),
    "48_44": (48000, 44100),
    "48_16": (48000, 16000),
}

TARGETS = {
    "hq_vs_soxr_hq_mono_10ms_24_48": (">=", 2.8),
    "hq_vs_soxr_hq_mono_10ms_22_48": (">=", 2.8),
    "hq_vs_soxr_hq_mono_10ms_16_48": (">=", 2.7),
    "hq_vs_soxr_hq_mono_10ms_44_48": (">=", 3.7),
    "hq_vs_soxr_hq_mono_10ms_48_44": (">=", 3.2),
    "hq_vs_soxr_hq_mono_10ms_48_16": (">=", 2.7),
    "hq_vs_soxr_hq_stereo_10ms_geomean": (">=", 2.4),
    "hq_avx2_vs_soxr_hq_mono_min": (">=", 1.7),
    "standard_vs_soxr_hq_mono_min": (">=", 4.0),
    "linear_vs_np_interp_min": (">=", 20.0),
    "linear_vs_soxr_qq_min": (">=", 8.0),
    "hq_oneshot_vs_soxr_hq_min": (">=", 1.0),
    "hq_worst_db": ("<=", -133.0),
    "best_worst_db": ("<=", -148.0),
    "hq_latency_over_soxr_hq_max": ("<=", 0.2),
    "hq_p99_over_median_max": ("<=", 3.0),
    "chunk_invariant": (">=", 1.0),
}


def blocks_of(rate: int, milliseconds: float, channels: int) -> list[Float]:
    """Eight different blocks of noise."""
    frames = int(rate * milliseconds / 1000)
    shape = (8, frames) if channels == 1 else (8, frames, channels)
    return list((0.2 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32))


def batch(stream: Stream, blocks: list[Float], calls: int) -> float:
    """Time of a call in ns, over so many: soxr works in bursts, so that one call says little."""
    process = stream.process
    turns = [blocks[call & 7] for call in range(calls)]
    start = time.perf_counter_ns()
    for block in turns:
        process(block)
    return (time.perf_counter_ns() - start) / calls


def race(
    racers: list[Peer], rates: tuple[int, int], channels: int, milliseconds: float, rounds: int
) -> dict[str, list[float]]:
    """Time of a call in every round, by peer."""
    blocks = blocks_of(rates[0], milliseconds, channels)
    streams = {peer.name: peer.make(*rates, channels) for peer in racers}
    calls = {peer.name: 20 if peer.slow else 120 for peer in racers}
    for peer in racers:
        batch(streams[peer.name], blocks, calls[peer.name])
    times: dict[str, list[float]] = {peer.name: [] for peer in racers}
    for _ in range(rounds):
        for peer in racers:
            times[peer.name].append(batch(streams[peer.name], blocks, calls[peer.name]))
    return times


def ratio(times: Mapping[str, list[float]], ours: str, peer: str) -> float:
    """How many times faster we are: the median over rounds."""
    return statistics.median(theirs / own for theirs, own in zip(times[peer], times[ours], strict=True))


def spread(peer: Peer, rates: tuple[int, int], rounds: int) -> float:
    """99th percentile of a call over its median; the best of the rounds, for the machine's own pauses are not ours."""
    stream, blocks, clock = peer.make(*rates, 1), blocks_of(rates[0], 10, 1), time.perf_counter_ns
    found = []
    for _ in range(rounds):
        times = []
        for call in range(400):
            start = clock()
            stream.process(blocks[call & 7])
            times.append(clock() - start)
        found.append(float(np.percentile(times, 99) / np.median(times)))
    return min(found)


def oneshot_ratio(racers: Mapping[str, Peer], rates: tuple[int, int], rounds: int) -> float:
    """The same for ten seconds in one call."""
    x = (0.2 * np.random.default_rng(0).standard_normal(10 * rates[0])).astype(np.float32)
    ratios = []
    for _ in range(rounds):
        took = {}
        for name in ("soxr_hq", "ours_hq"):
            stream = racers[name].make(*rates, 1)
            start = time.perf_counter_ns()
            stream.process(x)
            stream.flush()
            took[name] = time.perf_counter_ns() - start
        ratios.append(took["soxr_hq"] / took["ours_hq"])
    return statistics.median(ratios)


def speed_figures(all_peers: list[Peer], quick: bool) -> dict[str, float]:
    """Speeds over all pairs, mono and stereo, three sizes of block."""
    by_name = {peer.name: peer for peer in all_peers}
    rounds = 5 if quick else 25
    figures: dict[str, float] = {}
    stereo, standard, interp, qq, oneshot, spreads = [], [], [], [], [], []
    for pair, rates in PAIRS.items():
        times = race(all_peers, rates, 1, 10, rounds)
        for peer in all_peers:
            per_frame = statistics.median(times[peer.name]) / (rates[1] / 100)
            figures[f"{peer.name}_mono_10ms_{pair}_ns_per_frame"] = per_frame
        figures[f"hq_vs_soxr_hq_mono_10ms_{pair}"] = ratio(times, "ours_hq", "soxr_hq")
        standard.append(ratio(times, "ours_standard", "soxr_hq"))
        interp.append(ratio(times, "ours_linear", "np_interp"))
        qq.append(ratio(times, "ours_linear", "soxr_qq"))
        spreads.append(spread(by_name["ours_hq"], rates, rounds))
        two = [by_name["ours_hq"], by_name["soxr_hq"]]
        stereo.append(ratio(race(two, rates, 2, 10, rounds), "ours_hq", "soxr_hq"))
        for size in (5, 20):
            figures[f"hq_vs_soxr_hq_mono_{size}ms_{pair}"] = ratio(
                race(two, rates, 1, size, rounds), "ours_hq", "soxr_hq"
            )
        oneshot.append(oneshot_ratio(by_name, rates, 3 if quick else 9))
    return figures | {
        "hq_vs_soxr_hq_stereo_10ms_geomean": statistics.geometric_mean(stereo),
        "standard_vs_soxr_hq_mono_min": min(standard),
        "linear_vs_np_interp_min": min(interp),
        "linear_vs_soxr_qq_min": min(qq),
        "hq_oneshot_vs_soxr_hq_min": min(oneshot),
        "hq_p99_over_median_max": max(spreads),
    }


def avx2_minimum(quick: bool) -> float:
    """hq against soxr HQ with AVX2 alone: measured in a process of its own, for the set is chosen at import."""
    code = "from bench.cases.resample import hq_minimum; print(hq_minimum(" + repr(quick) + "))"
    environment = os.environ | {"SOTTOVOCE_ISA": "avx2", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"hq on AVX2 is left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 0.0
    return float(done.stdout)


def hq_minimum(quick: bool) -> float:
    """The least ratio of hq to soxr HQ over the pairs, mono, 10 ms."""
    two = [peer for peer in peers() if peer.name in {"ours_hq", "soxr_hq"}]
    rounds = 5 if quick else 25
    return min(ratio(race(two, rates, 1, 10, rounds), "ours_hq", "soxr_hq") for rates in PAIRS.values())


def quality_figures(all_peers: list[Peer], quick: bool) -> dict[str, float]:
    """Quality over the pairs; peers without a stream of their own are measured at one pair only."""
    figures: dict[str, float] = {}
    found: dict[tuple[str, str], Quality] = {}
    for pair, rates in PAIRS.items():
        for peer in all_peers:
            if (peer.slow or quick) and pair != "44_48" and peer.name not in {"ours_hq", "ours_best", "soxr_hq"}:
                continue
            quality = found[peer.name, pair] = measure(peer.make, rates)
            figures |= {
                f"{peer.name}_{pair}_worst_db": quality.worst_db,
                f"{peer.name}_{pair}_ripple_db": quality.ripple_db,
                f"{peer.name}_{pair}_edge": quality.edge,
                f"{peer.name}_{pair}_latency_ms": quality.latency_ms,
                f"{peer.name}_{pair}_burst_frames": quality.burst_frames,
            }
    latency = [found["ours_hq", pair].latency_ms / found["soxr_hq", pair].latency_ms for pair in PAIRS]
    ours = [quality for (name, _), quality in found.items() if name.startswith("ours_")]
    return figures | {
        "hq_worst_db": max(found["ours_hq", pair].worst_db for pair in PAIRS),
        "best_worst_db": max(found["ours_best", pair].worst_db for pair in PAIRS),
        "hq_latency_over_soxr_hq_max": max(latency),
        "chunk_invariant": float(all(quality.chunk_invariant for quality in ours)),
    }


def run(quick: bool) -> dict[str, float]:
    """Measure."""
    all_peers = peers()
    needed = {"ours_hq", "ours_best", "soxr_hq"}
    figures = quality_figures(
        [peer for peer in all_peers if peer.name in needed] if quick else all_peers, quick
    ) | speed_figures(all_peers, quick)
    figures["hq_avx2_vs_soxr_hq_mono_min"] = avx2_minimum(quick)
    return dict(sorted(figures.items(), key=lambda item: (item[0] in TARGETS, item[0])))
