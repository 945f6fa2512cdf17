from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import reference
from sottovoce.native.channels import mix_channels
from tests.native.arrays import Float, noise


def mixed(x: Float, channels: int) -> Float:
    out = np.full((len(x), channels), np.nan, np.float32)
    mix_channels(x, out)
    return out


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 9))
def test_any_channels_to_any_others_as_in_the_reference(frames: int, channels: int, wanted: int) -> None:
    x = noise(frames, channels)
    np.testing.assert_array_equal(mixed(x, wanted), reference.mix_channels(x, wanted))


def test_mono_is_duplicated_and_stereo_is_averaged() -> None:
    np.testing.assert_array_equal(mixed(np.array([[0.5]], np.float32), 2), [[0.5, 0.5]])
    np.testing.assert_array_equal(mixed(np.array([[0.5, -0.25]], np.float32), 1), [[0.125]])


def test_spare_channels_are_silent() -> None:
    np.testing.assert_array_equal(mixed(np.ones((3, 2), np.float32), 6)[:, 2:], np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("x", "out", "words"),
    [
        (np.zeros((4, 0), np.float32), np.zeros((4, 2), np.float32), r"x has shape \(4, 0\).*1..64"),
        (np.zeros((4, 65), np.float32), np.zeros((4, 2), np.float32), r"x has shape \(4, 65\).*1..64"),
        (np.zeros((4, 2), np.float32), np.zeros((4, 65), np.float32), r"out has shape \(4, 65\)"),
        (np.zeros((4, 2), np.float32), np.zeros((5, 1), np.float32), "out has 5 frames.* 4"),
        (np.zeros(4, np.float32), np.zeros((4, 1), np.float32), r"x has shape \(4,\)"),
    ],
)
def test_wrong_shapes_are_refused(x: Float, out: Float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mix_channels(x, out)


def test_sixty_four_channels_are_allowed() -> None:
    x = noise(3, 64)
    np.testing.assert_array_equal(mixed(x, 64), x)
