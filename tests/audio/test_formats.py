from __future__ import annotations

import numpy as np
import pytest

from sottovoce.core.errors import ConfigError
from sottovoce.core.formats import as_block, check_channels, check_samplerate, spread_channels, to_float32, to_int16


def test_as_block_passes_what_is_right_through_uncopied() -> None:
    x = np.zeros((10, 2), np.float32)
    assert as_block(x, 2) is x or np.shares_memory(as_block(x, 2), x)


def test_as_block_normalises_int16() -> None:
    x = np.array([-32768, 0, 16384, 32767], np.int16)
    block = as_block(x, 1)
    assert block.dtype == np.float32
    assert block[:, 0].tolist() == [-1.0, 0.0, 0.5, 32767 / 32768]


def test_as_block_takes_mono_for_any_channels() -> None:
    x = np.array([0.1, -0.2], np.float32)
    assert np.array_equal(as_block(x, 2), np.stack([x, x], axis=1))
    assert np.array_equal(as_block(x, 3), np.stack([x, 0 * x, 0 * x], axis=1))


def test_as_block_makes_strided_input_contiguous() -> None:
    x = np.arange(24, dtype=np.float32).reshape(6, 4)[:, ::2]
    block = as_block(x, 2)
    assert block.flags.c_contiguous
    assert np.array_equal(block, x)


def test_as_block_of_nothing_is_empty() -> None:
    assert as_block(np.zeros(0, np.int16), 2).shape == (0, 2)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(4), r"float64; allowed: float32 in \[-1, 1\], int16"),
        (np.zeros(4, np.int32), "int32; allowed"),
        (np.zeros((4, 3), np.float32), "3 channels; allowed: 2 or 1"),
        (np.zeros((4, 2, 1), np.float32), r"\(4, 2, 1\); allowed"),
        (np.zeros((4, 0), np.float32), r"\(4, 0\); allowed"),
    ],
)
def test_as_block_refusal_names_the_value_and_what_is_allowed(x: np.ndarray, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        as_block(x, 2)


def test_int16_round_trip_is_exact_in_any_shape() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16).reshape(-1, 2)
    assert np.array_equal(to_int16(to_float32(every)), every)


def test_to_int16_of_what_is_no_number_is_silence() -> None:
    x = np.array([np.nan, 2.0, -2.0], np.float32)
    assert to_int16(x).tolist() == [0, 32767, -32768]


def test_spread_channels_averages_stereo_to_mono() -> None:
    x = np.array([[0.5, 0.25], [1.0, -1.0]], np.float32)
    assert spread_channels(x, 1)[:, 0].tolist() == [0.375, 0.0]


@pytest.mark.parametrize("value", [48, 0, -1, 10**7, 44100.5, True])
def test_check_samplerate_refuses(value: int) -> None:
    with pytest.raises(ConfigError, match="samplerate is"):
        check_samplerate(value)


@pytest.mark.parametrize("value", [0, 65, 1.5, True])
def test_check_channels_refuses(value: int) -> None:
    with pytest.raises(ConfigError, match="allowed: 1 to 64"):
        check_channels(value)
