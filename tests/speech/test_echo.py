"""Echo: how far it lags is measured, the reference is held back by it, and both ears come out in their place."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.paired import PairedBlock
from sottovoce.core.types import Mono
from sottovoce.speech.echo.delay import DelaySettings, DelayTracker
from sottovoce.speech.echo.ears import EarCleaner
from sottovoce.speech.echo.framing import Framed
from sottovoce.speech.echo.removal import EchoRemoval

RATE = 16_000
BLOCK = 160


class Subtractor:
    """A canceller of one lag, 8 frames late: takes a tenth of the reference away."""

    name = "subtractor"
    samplerate = RATE
    blocksize = BLOCK
    delay_frames = 8
    most_lag_s = 0.1

    def __init__(self, lag_s: float = 0.02, fails_at: int = -1) -> None:
        self._kept = np.zeros(round(lag_s * RATE) + self.delay_frames, np.float32)
        self._late = np.zeros(self.delay_frames, np.float32)
        self.calls, self.closed = 0, False
        self.expected: list[float] = []
        self._fails_at = fails_at

    def process(self, near: Mono, far: Mono) -> Mono:
        assert near.shape == far.shape
        assert len(near) % BLOCK == 0
        if 0 <= self._fails_at <= self.calls:
            raise BackendError("the library is broken", backend=self.name)
        self.calls += 1
        played, heard = np.concatenate([self._kept, far]), np.concatenate([self._late, near])
        self._kept = played[len(far) :]
        self._late = heard[len(near) :]
        return heard[: len(near)] - np.float32(0.1) * played[: len(near)]

    def expect(self, lag_s: float) -> None:
        self.expected.append(lag_s)

    def close(self) -> None:
        self.closed = True


def voice(seconds: float, rng: np.random.Generator) -> Mono:
    """Noise that comes and goes as syllables do."""
    noise = 0.1 * rng.standard_normal(round(seconds * RATE))
    return (noise * np.maximum(0.0, np.sin(np.arange(len(noise)) * 2 * np.pi * 3 / RATE))).astype(np.float32)


def later(audio: Mono, seconds: float) -> Mono:
    return np.concatenate([np.zeros(round(seconds * RATE), np.float32), audio])[: len(audio)]


def cuts(length: int, rng: np.random.Generator) -> list[slice]:
    found, at = [], 0
    while at < length:
        end = at + int(rng.integers(1, 1500))
        found.append(slice(at, min(end, length)))
        at = end
    return found


def test_framed_gives_each_frame_in_its_place_however_the_stream_is_cut(rng: np.random.Generator) -> None:
    streams = rng.standard_normal((2, 10_000)).astype(np.float32)

    def work(blocks: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Mono:
        assert blocks.shape[1] % BLOCK == 0
        return blocks[:1] + blocks[1:]

    framed = Framed(work, 2, 1, BLOCK)
    out = np.concatenate([framed.process(streams[:, piece])[0] for piece in cuts(10_000, rng)])
    assert len(out) == 10_000 - framed.delay_frames == 10_000 - (BLOCK - 1)
    assert np.array_equal(out, (streams[0] + streams[1])[: len(out)])


@pytest.mark.parametrize("lag_s", [-0.06, 0.0, 0.031, 0.25, 0.7])
def test_lag_is_measured_under_a_voice_as_loud(lag_s: float, rng: np.random.Generator) -> None:
    far, near = voice(6.0, rng), voice(6.0, rng)
    shifted = later(far, lag_s) if lag_s >= 0 else np.roll(far, round(lag_s * RATE))
    tracker = DelayTracker(RATE)
    tracker.feed(near + shifted, far)
    assert tracker.delay is not None
    assert tracker.delay.seconds == pytest.approx(lag_s, abs=1e-4)


def test_no_lag_is_found_where_there_is_no_echo(rng: np.random.Generator) -> None:
    tracker = DelayTracker(RATE)
    tracker.feed(voice(60.0, rng), voice(60.0, rng))
    assert tracker.looks > 100
    assert tracker.delay is None


def test_nothing_is_looked_for_while_nothing_plays(rng: np.random.Generator) -> None:
    tracker = DelayTracker(RATE)
    assert not tracker.feed(voice(5.0, rng), np.zeros(5 * RATE, np.float32))
    assert tracker.looks == 0


def test_lag_that_changes_is_followed(rng: np.random.Generator) -> None:
    far = voice(12.0, rng)
    near = np.concatenate([later(far, 0.05)[: 6 * RATE], later(far, 0.2)[6 * RATE :]])
    tracker = DelayTracker(RATE)
    found = []
    for at in range(0, len(far), BLOCK):
        if tracker.feed(near[at : at + BLOCK], far[at : at + BLOCK]) and tracker.delay is not None:
            found.append(tracker.delay.seconds)
    assert found == pytest.approx([0.05, 0.2], abs=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"earliest_s": 0.1}, {"latest_s": 0.0}, {"window_s": 0.0}, {"every_s": -1.0}, {"memory": 1.0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DelaySettings(**wrong)


def test_looks_between_blocks_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"multiples of 0\.01"):
        EchoRemoval(Subtractor(), DelaySettings(every_s=0.505))


@pytest.mark.parametrize("lag_s", [0.02, 0.3, 0.65])
def test_reference_is_held_back_where_the_canceller_could_not_bridge_the_lag(
    lag_s: float, rng: np.random.Generator
) -> None:
    far = voice(8.0, rng)
    canceller = Subtractor(lag_s=0.02)
    removal = EchoRemoval(canceller)
    left = removal.process(np.float32(0.1) * later(far, lag_s), far)
    assert np.abs(left[-4 * RATE :]).max() < 1e-6
    report = removal.report
    assert report.delay is not None
    assert report.delay.seconds == pytest.approx(lag_s, abs=1e-4)
    assert canceller.expected == pytest.approx([0.02], abs=1e-4)
    assert report.removed_db > 5.0  # its beginning, before the lag was known, still counts


def test_canceller_that_fails_is_told_of_once_and_the_microphone_goes_on(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    near, far = voice(3.0, rng), voice(3.0, rng)
    removal = EchoRemoval(Subtractor(fails_at=1))
    with caplog.at_level(logging.WARNING, "sottovoce.speech"):
        left = removal.process(near, far)
    assert np.array_equal(left[RATE:], later(near, removal.delay_frames / RATE)[RATE:])
    assert [record.message for record in caplog.records] == [
        "echo is not removed any more reason=the library is broken"
    ]
    assert removal.report.failure == "the library is broken"


def test_canceller_rests_while_nothing_at_all_is_played(rng: np.random.Generator) -> None:
    near = voice(4.0, rng)
    canceller = Subtractor()
    removal = EchoRemoval(canceller)
    assert np.array_equal(removal.process(near, np.zeros_like(near)), later(near, canceller.delay_frames / RATE))
    assert canceller.calls == 0
    far = voice(0.5, rng)
    assert np.abs(removal.process(np.zeros_like(far), far)).max() > 0.0
    assert canceller.calls > 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    removal = EchoRemoval(Subtractor())
    for near, far in ((BLOCK, 2 * BLOCK), (BLOCK - 1, BLOCK - 1)):
        with pytest.raises(ValueError, match="a multiple of 160"):
            removal.process(np.zeros(near, np.float32), np.zeros(far, np.float32))


def heard(cleaner: EarCleaner, ears: dict[str, Mono], pieces: list[slice]) -> tuple[Mono, Mono]:
    blocks = [
        cleaner.process(
            PairedBlock(piece.start, ears["microphone"][piece], ears["loopback"][piece], ears["own"][piece])
        )
        for piece in pieces
    ]
    return np.concatenate([each.microphone for each in blocks]), np.concatenate([each.loopback for each in blocks])


def test_own_voice_is_taken_out_of_both_ears_and_the_loopback_out_of_the_microphone(rng: np.random.Generator) -> None:
    wearer, other, own = (voice(6.0, rng) for _ in range(3))
    loopback = other + np.float32(0.1) * later(own, 0.02)
    microphone = wearer + np.float32(0.1) * later(loopback, 0.02)
    cleaner = EarCleaner(Subtractor)
    ears = {"microphone": microphone, "loopback": loopback, "own": np.zeros_like(own)}
    clean, _ = heard(cleaner, ears, [slice(0, len(own))])
    assert len(clean) == len(own) - cleaner.delay_frames
    assert np.allclose(clean[RATE:], wearer[RATE : len(clean)], atol=1e-6)
    _, played = heard(EarCleaner(Subtractor), ears | {"own": own}, [slice(0, len(own))])
    assert np.allclose(played[4 * RATE :], other[4 * RATE : len(played)], atol=1e-6)


def loopback_with(own_in_it: Mono, own: Mono, other: Mono) -> Mono:
    silence = np.zeros_like(own)
    ears = {"microphone": silence, "loopback": other + own_in_it, "own": own}
    return heard(EarCleaner(Subtractor), ears, [slice(at, at + 512) for at in range(0, len(own), 512)])[1]


def test_loopback_is_silent_until_it_is_known_where_our_own_voice_lies_in_it(rng: np.random.Generator) -> None:
    own, other = voice(6.0, rng), voice(6.0, rng)
    own[: RATE // 2] = 0.0
    played = loopback_with(np.float32(0.5) * later(own, 0.05), own, np.float32(0.2) * other)
    assert played[: RATE // 4].any()  # nothing of ours sounds yet
    assert not played[RATE // 2 + 2 * BLOCK : RATE].any()
    assert played[3 * RATE :].any()


def test_loopback_is_heard_soon_where_our_own_voice_goes_elsewhere(rng: np.random.Generator) -> None:
    own, other = voice(8.0, rng), voice(8.0, rng)
    played = loopback_with(np.zeros_like(own), own, other)
    assert not played[2 * BLOCK : RATE].any()
    assert played[5 * RATE :].any()


def test_ears_are_the_same_however_the_streams_are_cut(rng: np.random.Generator) -> None:
    far = voice(5.0, rng)
    far[RATE : 3 * RATE] = 0.0  # the canceller rests meanwhile
    ears = {"microphone": voice(5.0, rng) + later(far, 0.3), "loopback": far, "own": later(far, 0.1)}
    whole = heard(EarCleaner(Subtractor), ears, [slice(0, len(far))])
    pieces = heard(EarCleaner(Subtractor), ears, cuts(len(far), rng))
    for one, other in zip(whole, pieces, strict=True):
        assert np.array_equal(one, other)


def test_values_that_are_no_numbers_do_not_stay(rng: np.random.Generator) -> None:
    near = voice(2.0, rng)
    near[100] = np.nan
    near[101] = np.inf
    ears = {"microphone": near, "loopback": voice(2.0, rng), "own": np.zeros_like(near)}
    clean, _ = heard(EarCleaner(Subtractor), ears, [slice(0, len(near))])
    assert np.isfinite(clean).all()


def test_cleaner_closes_its_cancellers() -> None:
    made: list[Subtractor] = []

    def make() -> Subtractor:
        made.append(Subtractor())
        return made[-1]

    cleaner = EarCleaner(make)
    assert set(cleaner.reports) == {"loopback", "own", "own in loopback"}
    cleaner.close()
    assert [each.closed for each in made] == [True, True, True]
