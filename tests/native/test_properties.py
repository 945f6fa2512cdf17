"""Any sequence of writes, flushes, blocks, gains, pauses and ends keeps the order and loses only what was flushed.

Every frame carries its own number: channel 0 is channel 1 times it. Whatever gain, fade or ramp does to a frame, it
does to both, so that their quotient tells which frame is heard. A third channel carries rubbish of another source.
"""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sottovoce.native.mixer import Mixer, Source
from tests.native.arrays import Float

RATE = 48_000
FADE_FRAMES = 240
NEVER_S = 3600.0  # of undriven_s: however slow this machine is, blocks count as being rendered

CARRIER = 0.05  # times the largest gain it stays below 1
NUMBERS = 1 << 16  # frames that can be told apart, with the rounding of float32 in mind


def numbered(first: int, frames: int) -> Float:
    """Frames from number ``first`` on."""
    carrier = np.full(frames, CARRIER, np.float32)
    return np.stack([carrier * (np.arange(first, first + frames, dtype=np.float64) / NUMBERS), carrier], 1).astype(
        np.float32
    )


def numbers_of(out: Float) -> np.ndarray:
    """Number of every frame, not rounded; NaN where nothing is to be heard."""
    carrier = out[:, 1].astype(np.float64)
    heard = carrier != 0.0
    return np.where(heard, out[:, 0] * NUMBERS / np.where(heard, carrier, 1.0), np.nan)


class Playing(RuleBasedStateMachine):
    """One numbered source, heard frame by frame, beside one that writes rubbish."""

    samplerates = st.just(RATE)
    quality = "standard"

    @initialize(data=st.data(), prebuffer=st.sampled_from([0, 1, 100, 700]), capacity=st.sampled_from([512, 4096]))
    def start(self, data: st.DataObject, prebuffer: int, capacity: int) -> None:
        self.mixer = Mixer(RATE, 3, undriven_s=NEVER_S)
        self.mixer.render_into(np.empty((1, 3), np.float32))  # from now on somebody listens
        self.samplerate = data.draw(self.samplerates, label="samplerate")
        self.source: Source = self.mixer.add_source(
            self.samplerate, 2, capacity, min(prebuffer, capacity // 2), self.quality
        )
        self.rubbish = self.mixer.add_source(RATE, 3, 1024)
        self.written = 0  # numbers given out
        self.next = 0  # the number that is due; what is below was heard, or may be missing
        self.flushed_to = 0  # below this number everything may be missing
        self.fades = 0  # how often something faded out: the last frame of a fade has gain 0
        self.stale = 0
        self.ran_dry = set[int]()  # numbers that were due when there was nothing more
        self.least_gain = 1.0

    @precondition(lambda self: self.written < NUMBERS - 2000)
    @rule(frames=st.integers(0, 2000))
    def write(self, frames: int) -> None:
        room = self.source.writable_frames
        written = self.source.write(numbered(self.written, frames), self.source.generation)
        assert written == min(frames, room)
        self.written += written

    @rule(frames=st.integers(1, 300), behind=st.integers(-1, 2))
    def write_for_another_generation(self, frames: int, behind: int) -> None:
        other = self.source.generation - behind
        if behind and other >= 0:
            assert self.source.write(numbered(0, frames), other) == 0
            self.stale += 1

    @rule()
    def end(self) -> None:
        self.source.end(self.source.generation)

    @rule()
    def flush(self) -> None:
        generation = self.source.generation
        assert self.source.flush() == generation + 1
        self.flushed_to = self.written
        self.ran_dry.add(self.written)
        self.fades += 1

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        (self.source.pause if paused else self.source.resume)()
        self.fades += paused

    @rule(gain=st.floats(0.1, 16.0), ramp_s=st.sampled_from([0.0, 0.001, 0.02, 0.2]))
    def set_gain(self, gain: float, ramp_s: float) -> None:
        self.source.set_gain(gain, ramp_s)
        self.least_gain = min(self.least_gain, gain)

    @rule(value=st.floats(width=32), frames=st.integers(1, 500))
    def write_rubbish(self, value: float, frames: int) -> None:
        x = np.zeros((frames, 3), np.float32)
        x[:, 2] = value
        self.rubbish.write(x, self.rubbish.generation)

    @rule(frames=st.integers(1, 1200))
    def render(self, frames: int) -> None:
        out = np.full((frames, 3), np.nan, np.float32)
        starvations = self.source.counters()["starvations"]
        self.mixer.render_into(out)
        self.fades += self.source.counters()["starvations"] - starvations
        if self.source.queued_frames == 0:
            self.ran_dry.add(self.written)
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1.0
        numbers = numbers_of(out)
        if self.next <= self.flushed_to:
            first = out[np.abs(numbers - self.flushed_to) < 0.1, 1]  # of this generation
            assert (first[:1] >= 0.99 * CARRIER * self.least_gain).all(), "the new is faded with the old"
        self.listen(numbers)

    def listen(self, numbers: np.ndarray) -> None:
        """Every frame heard is the one that is due, or the last one held; what is missing was flushed or faded."""
        for number in numbers[~np.isnan(numbers)]:
            heard = round(number)
            assert abs(number - heard) < 0.2, "two frames are mixed"
            if heard == self.next - 1 and self.next in self.ran_dry:
                continue  # held while it decays
            assert heard >= self.next, "a frame is repeated"
            lost = heard - max(self.next, min(self.flushed_to, heard))
            assert lost <= self.fades, "frames are lost that nobody flushed"
            self.fades -= lost
            self.next = heard + 1

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "source"):
            return
        counted = self.source.counters()
        assert self.source.written_frames == self.written
        gone = self.source.consumed_frames + counted["flushed_frames"]
        assert gone + self.source.queued_frames == self.written
        assert counted["stale_writes"] == self.stale
        assert self.source.acknowledged_generation <= self.source.generation
        assert self.mixer.counters()["resample_errors"] == 0

    def teardown(self) -> None:
        """In the end all is heard that was not flushed."""
        if not hasattr(self, "source"):
            return
        self.source.resume()
        self.source.end(self.source.generation)
        self.fades += 1
        for _ in range(40):
            self.render(1000)
        assert self.source.queued_frames == 0
        assert self.source.acknowledged_generation == self.source.generation
        if self.written > self.flushed_to:
            self.ends_with(self.written - 1)
        self.mixer.remove_source(self.source)
        self.rubbish.flush()
        out = np.ones((1000, 3), np.float32)
        self.mixer.render_into(out)
        self.mixer.render_into(out)
        np.testing.assert_array_equal(out, 0.0)

    def ends_with(self, last: int) -> None:
        """The last frame was heard."""
        assert self.next == last + 1


class PlayingResampled(Playing):
    """The same at another samplerate: what is heard lies between two numbers, and only ever goes forward."""

    samplerates = st.sampled_from([16_000, 24_000, 44_100, 96_000])
    quality = "linear"  # whose output between two frames is between two numbers

    def listen(self, numbers: np.ndarray) -> None:
        step = self.samplerate / RATE
        for number in numbers[~np.isnan(numbers)]:
            heard = self.next - step
            if number < heard + 0.7 * step:
                assert number > heard - 0.3, "a frame is repeated"
                if number > heard + 0.3 and any(abs(number - dry) < 0.3 for dry in self.ran_dry):
                    self.next = number + step  # a new utterance begins on a frame of its own, less than a step further
                    continue
                assert any(dry - step - 1.3 < heard < dry for dry in self.ran_dry), "it is held while there is more"
                continue
            due = heard + max(1.0, step)  # at the latest: a new utterance begins on a frame of its own
            lost = round((number - max(due, min(self.flushed_to, number))) / step)
            assert lost <= self.fades, "frames are lost that nobody flushed"
            self.fades -= max(0, lost)
            self.next = number + step

    def ends_with(self, last: int) -> None:
        step = self.samplerate / RATE
        assert last - step - 1.3 < self.next - step < last + 0.3


SETTINGS = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestPlaying = Playing.TestCase
TestPlaying.settings = SETTINGS
TestPlayingResampled = PlayingResampled.TestCase
TestPlayingResampled.settings = SETTINGS
