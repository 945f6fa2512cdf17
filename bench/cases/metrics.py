"""What metrics cost: a scrape, and the way from the end of a question to the first sample of its answer.

One question after another is asked of the real pipeline, on the emulated services of the case ``first_audio``, in turn
with metrics (counted, served, and scraped every second by another process; Prometheus does so every 15 s) and without.
The pipeline speaks when all is in, so that every turn takes the same way.

``scrape_ms_p50``, ``scrape_ms_p95``
    From the connection to the last byte, of a session whose engine runs, taken while turns go on.
``overhead_pct``
    By how much a turn is longer with metrics than the one beside it without, in per cent; the median. What the emulated
    services and the last block of the ear really took is taken off: those are timers, and whoever else uses this
    machine. ``noise_pct`` is the same of two turns without: what this machine makes of nothing. ``whole_pct`` and
    ``whole_noise_pct`` are of whole turns.
``observer_us_per_turn``
    What counting all notices of a turn takes, measured on its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.cases.first_audio import ASR_S, HANG_OVER_MS, segmentation
from bench.peers import script
from bench.peers.emulated import Detector, Rig
from sottovoce.app.budget import Limits
from sottovoce.app.measured import Measured
from sottovoce.app.metering.session import SessionMeter
from sottovoce.app.prices import read_prices
from sottovoce.app.purse import Purse
from sottovoce.assistant.notices import Notice, TurnEnded
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.assistant.ports import Observer
from sottovoce.audio.recorder import Recorder
from sottovoce.metrics.registry import Registry
from sottovoce.metrics.server import MetricsServer
from sottovoce.speech.segmenter import Segmenter
from sottovoce.speech.speaker import NotEnrolled
from tests.audio.fakes import FakeHost

TARGETS = {"overhead_pct": ("<=", 1.0)}

SCRAPE_EVERY_S = 1.0

_SCRAPER = Path(__file__).resolve().parents[1] / "peers" / "scraper.py"
_PATIENCE_S = 20.0
_STRIDE_S, _BLOCK_S = 197 / script.SAMPLERATE, 512 / script.SAMPLERATE
_ANSWERING = {"asr": "emulated", "llm": "emulated", "tts": "emulated"}


class Scraped:
    """Metrics of all turns that are measured, and who scrapes them."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.meter = SessionMeter(registry, _ANSWERING)
        self.took_ms: list[float] = []
        self.page_bytes = 0

    @contextmanager
    def scraping(self, server: MetricsServer) -> Iterator[None]:
        command = [sys.executable, str(_SCRAPER), server.url, str(SCRAPE_EVERY_S)]
        scraper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield
        finally:
            told = json.loads(scraper.communicate(timeout=_PATIENCE_S)[0])
            self.took_ms += told["took_ms"][1:]  # the first has loaded what it needs
            self.page_bytes = told["bytes"]


@dataclass(frozen=True, slots=True)
class Asked:
    """From the true end to the first sample, the pipeline's own part of it, and what was told."""

    whole_ms: float
    own_ms: float
    notices: list[Notice]


def ask(phase_s: float, observers: Sequence[Observer], scraped: Scraped | None) -> Asked:
    """Ask once."""
    seen: list[Notice] = []

    def observe(notice: Notice) -> None:
        for observer in observers:
            observer(notice)
        seen.append(notice)

    settings = segmentation(HANG_OVER_MS, pause=False)
    with Rig(ASR_S, script.spoken(phase_s)) as rig, ExitStack() as stack:
        segmenter = Segmenter(Detector(), settings)
        recognizers = [rig.recognizer]
        parts = Parts(rig.ear, segmenter, NotEnrolled(), recognizers, rig.generator, rig.synthesizer, rig.voice)
        pipeline = Pipeline(parts, PipelineSettings(lossless=False, pause_s=0.0, speculate="off"), observe)
        if scraped is not None:
            recorder = stack.enter_context(Recorder(16000, host=FakeHost()))
            purse = Purse(read_prices(), Limits())
            stack.enter_context(Measured((), "", scraped.registry).watching(rig.player, recorder, pipeline, purse))
        pipeline.start()
        try:
            first_ns = rig.wait_for_sound()
            path_ns = rig.ledger.path_ns
            deadline_s = time.monotonic() + _PATIENCE_S
            while not any(isinstance(notice, TurnEnded) for notice in seen):
                if time.monotonic() > deadline_s:
                    raise TimeoutError("the turn did not end")
                time.sleep(0.005)
        finally:
            pipeline.close(5.0)
        own_ns = first_ns - rig.ear.noticed_ns(settings) - path_ns
        return Asked((first_ns - rig.ear.true_end_ns) / 1e6, own_ns / 1e6, seen)


def observer_us(notices: Sequence[Notice], rounds: int) -> float:
    """What counting a turn takes."""
    took_us = []
    for _ in range(rounds):
        meter = SessionMeter(Registry(), _ANSWERING)
        began = time.perf_counter()
        for notice in notices:
            meter(notice)
        took_us.append(1e6 * (time.perf_counter() - began))
    return statistics.median(took_us)


def longer_pct(these: Sequence[Asked], those: Sequence[Asked]) -> tuple[float, float]:
    """By how much each of these is longer than the one of those beside it: their own part, and whole; the median."""
    turn_ms = statistics.median(asked.whole_ms for asked in those)
    pairs = list(zip(these, those, strict=True))
    own_ms = statistics.median(this.own_ms - that.own_ms for this, that in pairs)
    whole_ms = statistics.median(this.whole_ms - that.whole_ms for this, that in pairs)
    return 100.0 * own_ms / turn_ms, 100.0 * whole_ms / turn_ms


def run(quick: bool) -> dict[str, float]:
    """Ask in turn with metrics and without."""
    rounds = 5 if quick else 24
    with_it: list[Asked] = []
    without: list[Asked] = []
    again: list[Asked] = []
    scraped = Scraped(Registry())
    for number in range(rounds):
        phase_s = number * _STRIDE_S % _BLOCK_S
        without.append(ask(phase_s, (), None))
        with closing(MetricsServer(scraped.registry, 0)) as server, scraped.scraping(server):
            with_it.append(ask(phase_s, (scraped.meter,), scraped))
        again.append(ask(phase_s, (), None))
    overhead_pct, whole_pct = longer_pct(with_it, without)
    noise_pct, whole_noise_pct = longer_pct(again, without)
    notices = with_it[-1].notices
    return {
        "scrape_ms_p50": float(np.percentile(scraped.took_ms, 50)),
        "scrape_ms_p95": float(np.percentile(scraped.took_ms, 95)),
        "page_bytes": scraped.page_bytes,
        "overhead_pct": overhead_pct,
        "noise_pct": noise_pct,
        "whole_pct": whole_pct,
        "whole_noise_pct": whole_noise_pct,
        "turn_ms": statistics.median(asked.whole_ms for asked in without),
        "own_ms": statistics.median(asked.own_ms for asked in without),
        "notices_per_turn": len(notices),
        "observer_us_per_turn": observer_us(notices, 20 if quick else 200),
        "scrapes": len(scraped.took_ms),
    }
