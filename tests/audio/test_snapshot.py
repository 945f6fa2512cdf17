"""What snapshot_state() tells: everything that SPEC A4, A5 and A16 name, by name, and all of it of one moment."""

from __future__ import annotations

import dataclasses

import pytest

from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player, PlayerSnapshot
from sottovoce.audio.recorder import Recorder, RecorderSnapshot
from sottovoce.audio.report import DurationStats
from sottovoce.native.telemetry import Histogram
from tests.audio.fakes import FakeHost, wait_for

DURATIONS = [f"{name}.{figure}" for name in ("callback", "interval", "resampling") for figure in
             ("count", "p50_ns", "p95_ns", "p99_ns", "max_ns")]  # fmt: skip

#: Of both directions: A4's counters, A5's soft guard, the generation and the recreates of A1 and A3.
STREAM = [
    "state", "generation", "device", "samplerate", "channels", "blocksize", "latency_s", "recreating", "recreates",
    "recreate_reason", "recreate_durations_ns", "peak_dbfs", "rms_dbfs", *DURATIONS,
    *(f"counters.{name}" for name in (
        "blocks", "frames", "generation_mismatches", "shape_mismatches", "errors", "resample_errors",
        "scrubbed_samples", "pa_input_underflows", "pa_input_overflows", "pa_output_underflows",
        "pa_output_overflows", "pa_priming_blocks", "late_blocks",
    )),
]  # fmt: skip
PLAYBACK = [
    "counters.underruns",
    "counters.starvations",
    "counters.idle_blocks",
    "counters.held_blocks",
    "counters.overlaps",
]
CAPTURE = ["counters.overruns", "counters.overrun_frames"]
SOURCE = ["generation", "queued_s", "capacity_s", "played_s", "paused", "gain", "counters.starvations"]


def missing(picture: object, names: list[str]) -> list[str]:
    """Names that lead to nothing in a snapshot: fields, and keys of mappings."""

    def leads(name: str) -> bool:
        at: object = picture
        for part in name.split("."):
            if isinstance(at, dict):
                if part not in at:
                    return False
                at = at[part]
            elif dataclasses.is_dataclass(at) and part in {field.name for field in dataclasses.fields(at)}:
                at = getattr(at, part)
            else:
                return False
        return True

    return [name for name in names if not leads(name)]


@pytest.fixture
def playing() -> PlayerSnapshot:
    with Player(8000, 1, output=DeviceOutput(host=FakeHost())) as player, player.open_source():
        return player.snapshot_state()


@pytest.fixture
def recording() -> RecorderSnapshot:
    with Recorder(8000, host=FakeHost()) as recorder:
        return recorder.snapshot_state()


def test_player_tells_everything_by_name(playing: PlayerSnapshot) -> None:
    assert missing(playing.stream, STREAM + PLAYBACK) == []
    assert missing(playing.sources[0], SOURCE) == []
    assert missing(playing, ["samplerate", "channels", "rendered_s", "flush.p95_ns", "counters.underruns"]) == []


def test_recorder_tells_everything_by_name(recording: RecorderSnapshot) -> None:
    assert missing(recording.stream, STREAM + CAPTURE) == []
    assert missing(recording, ["samplerate", "captured_s", "backlog_s", "buffer_s", "overruns"]) == []


def test_name_that_leads_nowhere_is_found(playing: PlayerSnapshot) -> None:
    wrong = ["counters.nothing", "nothing", "callback.nothing", "state.nothing"]
    assert missing(playing.stream, [*wrong, "state"]) == wrong


def test_what_a_stream_has_counted_is_never_away_while_it_is_closed() -> None:
    host = FakeHost()
    with Player(8000, 1, output=DeviceOutput(host=host, blocksize=16000)) as player:
        host.streams[0].call(256)
        host.aborts.clear()
        try:
            host.streams[0].finish()
            wait_for(lambda: player.snapshot_state().stream.generation == 2)
            state = player.snapshot_state().stream
            assert (state.counters["frames"], state.recreate_reason) == (256, "the host has ended it")
        finally:
            host.aborts.set()
        wait_for(lambda: "close" in host.streams[0].calls)
        assert player.snapshot_state().stream.counters["frames"] == 256


def filled(*values_ns: int) -> Histogram:
    histogram = Histogram()
    for value_ns in values_ns:
        histogram.record(value_ns)
    return histogram


def test_durations_are_those_of_the_histogram() -> None:
    histogram = filled(*range(1000, 200_000, 1000))
    stats = DurationStats.of(histogram)
    assert (stats.count, stats.max_ns) == (199, 199_000)
    wanted = [histogram.percentile_ns(percent) for percent in (50, 95, 99)]
    assert [stats.p50_ns, stats.p95_ns, stats.p99_ns] == wanted
    assert DurationStats.of(Histogram()) == DurationStats()


def test_durations_since_an_earlier_look_leave_out_what_was_before() -> None:
    histogram = filled(*[1_000_000] * 50)
    earlier = DurationStats.of(histogram)
    for _ in range(10):
        histogram.record(2000)
    late = DurationStats.of(histogram).since(earlier)
    assert (late.count, late.max_ns) == (10, late.p99_ns)
    assert 2000 <= late.p50_ns < 2200
    assert DurationStats.of(histogram).p99_ns > 900_000
    assert earlier.since(earlier) == DurationStats()


def test_durations_since_another_stream_are_all_of_this_one() -> None:
    now = DurationStats.of(filled(5000, 6000))
    assert now.since(DurationStats.of(filled(7_000_000))) == now
    assert now.since(DurationStats.of(filled(5000, 5000, 5000))) == now
