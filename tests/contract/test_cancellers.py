"""What every echo canceller keeps to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.aec.base import EchoCanceller
from sottovoce.speech.registry import backend_names, describe, open_canceller


@pytest.fixture(params=backend_names("aec"))
def canceller(request: pytest.FixtureRequest) -> Iterator[EchoCanceller]:
    info = describe("aec", request.param)
    if info.missing:
        pytest.skip(f"{info.install_hint} for {', '.join(info.missing)}")
    opened = open_canceller(request.param)
    yield opened
    opened.close()


def syllables(canceller: EchoCanceller, seconds: float, rng: np.random.Generator) -> Mono:
    """Noise that comes and goes."""
    noise = 0.1 * rng.standard_normal(round(seconds * canceller.samplerate))
    beat = np.maximum(0.0, np.sin(np.arange(len(noise)) * 2 * np.pi * 3 / canceller.samplerate))
    whole = len(noise) - len(noise) % canceller.blocksize
    return (noise * beat).astype(np.float32)[:whole]


def room(canceller: EchoCanceller, audio: Mono, lag_s: float, rng: np.random.Generator) -> Mono:
    """Through a small room, a little later."""
    tail = rng.standard_normal(800) * np.exp(-np.arange(800) / 150)
    tail[0] = 4.0
    start = round(lag_s * canceller.samplerate)
    echoed = np.concatenate([np.zeros(start), np.convolve(audio, 0.05 * tail)])
    return echoed[: len(audio)].astype(np.float32)


def level_db(audio: Mono) -> float:
    return 10.0 * float(np.log10(np.mean(np.square(audio)) + 1e-12))


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_echo_within_its_reach_is_taken_away(canceller: EchoCanceller, share: float, rng: np.random.Generator) -> None:
    far = syllables(canceller, 8.0, rng)
    canceller.expect(share * canceller.most_lag_s)
    near = room(canceller, far, share * canceller.most_lag_s, rng)
    left = canceller.process(near, far)
    learnt = 6 * canceller.samplerate
    assert level_db(near[learnt:]) - level_db(left[learnt:]) > 20.0


def test_voice_without_echo_stays_and_is_late_by_what_is_said(
    canceller: EchoCanceller, rng: np.random.Generator
) -> None:
    near = syllables(canceller, 4.0, rng)
    left = canceller.process(near, np.zeros_like(near))
    late = canceller.delay_frames
    assert np.corrcoef(near[: len(near) - late], left[late:])[0, 1] > 0.9
    assert level_db(left) == pytest.approx(level_db(near), abs=0.5)


def test_blocks_may_come_one_by_one_or_together(canceller: EchoCanceller, rng: np.random.Generator) -> None:
    far = syllables(canceller, 1.0, rng)
    near = room(canceller, far, 0.03, rng)
    other = open_canceller(canceller.name)
    size = canceller.blocksize
    single = [other.process(near[at : at + size], far[at : at + size]) for at in range(0, len(near), size)]
    other.close()
    assert np.array_equal(np.concatenate(single), canceller.process(near, far))


def test_input_is_left_as_it_was(canceller: EchoCanceller, rng: np.random.Generator) -> None:
    near, far = syllables(canceller, 0.5, rng), syllables(canceller, 0.5, rng)
    kept = near.copy(), far.copy()
    canceller.process(near, far)
    assert np.array_equal(near, kept[0])
    assert np.array_equal(far, kept[1])


def test_closed_twice_it_refuses(canceller: EchoCanceller) -> None:
    canceller.close()
    canceller.close()
    silence = np.zeros(canceller.blocksize, np.float32)
    with pytest.raises(BackendError, match="closed"):
        canceller.process(silence, silence)
