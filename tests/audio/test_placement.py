"""Where resampling happens, and that nobody hears it move."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.audio.lifecycle import LifecyclePolicy, StreamState
from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.placement import CHECK_INTERVAL_S, LEAST_BLOCKS, History, ResampleBudget
from sottovoce.audio.player import Player
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.resampler import Quality
from sottovoce.native.mixer import Mixer
from sottovoce.native.rate_converter import QUALITIES
from sottovoce.native.telemetry import Histogram
from tests.audio.fakes import FakeHost, make_device
from tests.native.arrays import Float, converted, largest_step, noise, render, sine

RATE = 48_000
NEVER_S = 3600.0


def a_report(durations_ns: Sequence[int], blocksize: int = 480) -> StreamReport:
    """Of a stream whose resampling has taken so long."""
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    return StreamReport(
        state=StreamState.RUNNING, generation=1, device="x", device_id=0, samplerate=RATE, channels=2,
        blocksize=blocksize, latency_s=0.0, resampling=DurationStats.of(histogram),
    )  # fmt: skip


def test_budget_is_a_share_of_the_block_and_exceeded_once_and_for_good() -> None:
    budget = ResampleBudget(0.1)  # of 10 ms
    within, beyond = [900_000] * LEAST_BLOCKS, [1_200_000] * LEAST_BLOCKS
    assert budget.note(a_report(within), 0.0) is None
    over = budget.note(a_report(within + beyond), 1.0)
    assert over is not None
    assert over.budget_ns == 1_000_000
    assert over.p95_ns == pytest.approx(1_200_000, rel=1 / 16)
    assert budget.note(a_report(within + 2 * beyond), 2.0) is None, "said once"
    assert budget.exceeded == over


def test_budget_looks_at_the_newest_blocks_and_at_enough_of_them() -> None:
    budget = ResampleBudget(0.1)
    many = [100_000] * 10_000
    assert budget.note(a_report(many), 0.0) is None
    few = [5_000_000] * (LEAST_BLOCKS - 1)
    assert budget.note(a_report(many + few), 1.0) is None
    assert budget.note(a_report([*many, *few, 5_000_000]), 2.0) is not None, "though they are 0.6 % of all"


def test_a_slow_block_in_twenty_is_forgiven() -> None:
    budget = ResampleBudget(0.1)
    assert budget.note(a_report([100_000] * 960 + [9_000_000] * 40), 0.0) is None


def test_budget_is_not_asked_for_all_the_time_nor_after_it_was_exceeded() -> None:
    budget = ResampleBudget(0.1)
    assert budget.is_due(0.0)
    budget.note(a_report([1]), 0.0)
    assert not budget.is_due(CHECK_INTERVAL_S / 2)
    assert budget.is_due(CHECK_INTERVAL_S)
    budget.note(a_report([9_000_000] * LEAST_BLOCKS), CHECK_INTERVAL_S)
    assert not budget.is_due(100.0)


@given(
    st.sampled_from([8000, 16_000, 22_050, 24_000, 44_100, 47_999, 96_000]),
    st.sampled_from(QUALITIES),
    st.integers(1, 2),
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
    st.data(),
)
@settings(deadline=None)
def test_move_changes_no_bit_wherever_it_falls(
    samplerate: int, quality: Quality, channels: int, writes: list[int], data: st.DataObject
) -> None:
    x = noise(sum(writes), channels, level=0.2)
    mixer = Mixer(RATE, channels, undriven_s=NEVER_S)
    source = mixer.add_source(samplerate, channels, 1 << 16, quality=quality)
    history = History(samplerate, RATE, channels, quality)
    resampler = None
    move_before = data.draw(st.integers(0, len(writes) - 1), label="move_before")
    parts: list[Float] = []
    position = 0
    for number, frames in enumerate(writes):
        if number == move_before:
            had = source.move(0)
            assert had == position
            resampler = history.resampler_after(had)
        block = x[position : position + frames]
        position += frames
        if resampler is None:
            history.note(block)
        else:
            block = resampler.process(block)
        assert source.write(np.ascontiguousarray(block), 0) == len(block)
        # as much as can be heard without running dry
        ready = len(converted(x[:position], samplerate, RATE, quality, end=False))
        spare = max(0, min(ready - sum(map(len, parts)), data.draw(st.integers(0, 2000), label="rendered")))
        if source.queued_frames >= 700:
            parts.append(render(mixer, spare, 256))
    assert resampler is not None
    source.write(resampler.flush().reshape(-1, channels), 0)
    source.end(0)
    expected = converted(x, samplerate, RATE, quality)
    parts.append(render(mixer, max(0, len(expected) - sum(map(len, parts))) + 300))
    out = np.concatenate(parts)
    np.testing.assert_array_equal(out[: len(expected)], expected)
    np.testing.assert_array_equal(out[len(expected) :], 0.0)
    assert source.counters()["starvations"] == 0
    assert source.played_s == pytest.approx(len(x) / samplerate, abs=1.0 / RATE + 1.0 / samplerate)
    assert source.moved or not len(x)
    assert (source.samplerate, source.held_frames, source.lookahead_frames) == (RATE, 0, 0)


@pytest.mark.parametrize("quality", QUALITIES)
def test_move_after_an_end_plays_the_old_utterance_to_its_end(quality: Quality) -> None:
    first, second = noise(3000, level=0.2), noise(2000, seed=1, level=0.2)
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    source = mixer.add_source(24_000, 1, 1 << 14, quality=quality)
    source.write(first, 0)
    source.end(0)
    start = render(mixer, 1000)
    assert source.move(0) == 0
    source.write(second, 0)
    source.end(0)
    whole = np.concatenate([start, render(mixer, 8000)])
    expected = np.concatenate([converted(first, 24_000, RATE, quality), second])
    np.testing.assert_array_equal(whole[: len(expected)], expected)


def test_move_is_put_off_while_nobody_knows_whether_the_last_end_was_reached() -> None:
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    source = mixer.add_source(24_000, 1, 1 << 14)
    source.write(noise(3000), 0)
    source.end(0)
    source.write(noise(3000), 0)
    assert source.move(0) == -1
    render(mixer, 7000)
    assert source.move(0) == 6000, "it did not run dry at the end: one stream"
    with pytest.raises(RuntimeError, match="nothing to move"):
        source.move(0)


def test_move_of_a_stale_generation_is_put_off_and_a_flush_after_it_completes_it() -> None:
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    source = mixer.add_source(24_000, 1, 1 << 14)
    source.write(noise(3000), 0)
    render(mixer, 256)
    generation = source.flush()
    assert source.move(0) == -1
    assert source.move(generation) == 0
    x = noise(1000, seed=2)
    source.write(x, generation)
    source.end(generation)
    out = render(mixer, 2000)
    np.testing.assert_array_equal(out[240:1240], x)
    assert source.moved
    assert source.played_s == pytest.approx(1000 / RATE)


def test_source_of_the_mixers_samplerate_has_nothing_to_move() -> None:
    with pytest.raises(RuntimeError, match="nothing to move"):
        Mixer(RATE, 1).add_source(RATE, 1, 64).move(0)


@pytest.fixture(autouse=True)
def no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test is a device that takes its time: on a busy machine its blocks come seconds apart."""
    monkeypatch.setattr("sottovoce.audio.watchdog.Watchdog.judge", lambda self, health, now_ns: "")


class Stage:
    """A player on a fake host, whose every block the test plays."""

    def __init__(self, channels: int = 1, blocksize: int = 256, **options: object) -> None:
        self.host = FakeHost(make_device(0, "card", channels=channels, default=True))
        policy = LifecyclePolicy(device_query_cooldown_s=0.05)
        output = DeviceOutput(host=self.host, policy=policy, blocksize=blocksize)
        self.player = Player(RATE, channels, output=output, **options)  # type: ignore[arg-type]
        self.blocksize = blocksize

    def __enter__(self) -> Stage:
        self.player.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.player.close()

    def take(self, blocks: int) -> Float:
        stream = self.host.streams[-1]
        return np.concatenate([stream.call(self.blocksize).copy() for _ in range(blocks)])


def test_open_source_moves_without_a_click_when_the_callback_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    x = sine(40_000, 24_000, 440.0)
    slow = False
    with Stage() as stage:
        output = stage.player.output
        real = output.report

        def report() -> StreamReport:
            durations = [2_000_000 if slow else 1000] * LEAST_BLOCKS
            return dataclasses.replace(real(), resampling=a_report(durations).resampling)

        monkeypatch.setattr(output, "report", report)
        monkeypatch.setattr("sottovoce.audio.placement.CHECK_INTERVAL_S", 0.0)
        source, idle = stage.player.open_source(24_000), stage.player.open_source(16_000)
        source.write(x[:8000])
        heard = [stage.take(20)]
        assert source.snapshot().resampling == "callback"
        assert stage.player.snapshot_state().moved_sources == 0
        slow = True
        with caplog.at_level(logging.WARNING):
            for start in range(8000, 40_000, 1000):
                source.write(x[start : start + 1000])
                heard.append(stage.take(7))
        source.end()
        heard.append(stage.take(200))
        assert source.snapshot().resampling == "producer"
        assert idle.snapshot().resampling == "callback", "it moves when it has something to say"
        idle.write(x[:100])
        assert idle.snapshot().resampling == "producer"
        assert stage.player.open_source(16_000).snapshot().resampling == "producer"
        assert stage.player.open_source(RATE).snapshot().resampling == "none"
        assert stage.player.snapshot_state().moved_sources == 2
        assert len([record for record in caplog.records if "leaves the callback" in record.message]) == 1
    y = np.concatenate(heard)
    expected = converted(x, 24_000, RATE, "standard")
    np.testing.assert_array_equal(y[: len(expected)], expected)
    assert largest_step(y[: len(expected)]) <= 1.2 * largest_step(expected)


def test_costly_configuration_leaves_the_callback_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sottovoce.audio.placement.CHECK_INTERVAL_S", 0.0)
    with Stage(64, 16, resample_quality="best") as stage:
        sources = [stage.player.open_source(44_100, 64) for _ in range(8)]
        x = noise(2000, 64, level=0.01)
        for source in sources:
            source.write(x)
        stage.take(LEAST_BLOCKS)
        assert sources[0].snapshot().resampling == "callback"
        for source in sources:
            source.write(x)
        assert {source.snapshot().resampling for source in sources} == {"producer"}
        stage.take(250)
        before = stage.player.output.report().resampling.count
        stage.take(20)
        assert stage.player.output.report().resampling.count == before, "the callback resamples no more"
        assert all(source.native.moved for source in sources)


@pytest.mark.parametrize("quality", ["linear", "hq", "soxr"])
@pytest.mark.parametrize("mode", ["callback", "producer"])
def test_quality_is_what_was_asked_for(mode: str, quality: Quality) -> None:
    with Stage(resample_mode=mode, resample_quality=quality) as stage:
        source = stage.player.open_source(24_000)
        x = sine(6000, 24_000, 997.0)
        source.write(x)
        source.end()
        assert source.resampling == ("producer" if quality == "soxr" else mode)
        y = stage.take(50)
        if quality != "soxr":
            expected = converted(x, 24_000, RATE, quality)
            np.testing.assert_array_equal(y[: len(expected)], expected)
        assert np.abs(y).max() == pytest.approx(0.5, abs=0.05)
