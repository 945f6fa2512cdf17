from __future__ import annotations

import os
import subprocess
import sys

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import reference
from sottovoce.native import convert
from tests.native.arrays import Float, noise

EVERY_INT16 = np.arange(-32768, 32768).astype(np.int16)


def to_float32(x: reference.Int16) -> Float:
    out = np.empty(x.shape, np.float32)
    convert.int16_to_float32(x, out)
    return out


def to_int16(x: Float) -> reference.Int16:
    out = np.empty(x.shape, np.int16)
    convert.float32_to_int16(x, out)
    return out


def test_round_trip_of_every_int16_is_exact() -> None:
    floats = to_float32(EVERY_INT16)
    np.testing.assert_array_equal(floats, EVERY_INT16.astype(np.float64) / 32768)
    np.testing.assert_array_equal(to_int16(floats), EVERY_INT16)


@given(npst.arrays(np.float32, npst.array_shapes(max_dims=2, max_side=70), elements=st.floats(width=32)))
def test_any_float_becomes_what_the_reference_says(x: Float) -> None:
    np.testing.assert_array_equal(to_int16(x), reference.float32_to_int16(x))


@pytest.mark.parametrize("samples", [0, 1, 31, 32, 33, 63, 64, 97, 1000])
@pytest.mark.parametrize("offset", [0, 1, 7])
def test_every_length_and_alignment_is_converted_whole(samples: int, offset: int) -> None:
    x = noise(samples + offset, level=1.5)[offset:]
    np.testing.assert_array_equal(to_int16(x), reference.float32_to_int16(x))
    whole = EVERY_INT16[offset : offset + samples]
    np.testing.assert_array_equal(to_float32(whole), reference.int16_to_float32(whole))


@pytest.mark.parametrize("place", [0, 5, 31, 40])
def test_nan_becomes_zero_and_infinity_is_clipped(place: int) -> None:
    x = np.full(64, 0.25, np.float32)
    x[place : place + 3] = [np.nan, np.inf, -np.inf]
    expected = np.full(64, 8192, np.int16)
    expected[place : place + 3] = [0, 32767, -32768]
    np.testing.assert_array_equal(to_int16(x), expected)


def test_nothing_becomes_nothing() -> None:
    assert len(to_float32(EVERY_INT16[:0])) == 0
    assert len(to_int16(np.empty((0, 2), np.float32))) == 0


@pytest.mark.parametrize(
    ("x", "out", "error", "words"),
    [
        (np.zeros(4), np.zeros(4, np.float32), TypeError, "x has dtype float64; it must be .* int16"),
        (np.zeros(4, np.int16), np.zeros(4), TypeError, "out has dtype float64; it must be .* float32"),
        ([1, 2], np.zeros(2, np.float32), TypeError, "x is list"),
        (np.zeros(4, np.int16), np.zeros(3, np.float32), ValueError, r"out has shape \(3,\).*\(4,\)"),
        (np.zeros(8, np.int16)[::2], np.zeros(4, np.float32), ValueError, "ascontiguousarray"),
        (np.zeros(4, np.dtype(">i2")), np.zeros(4, np.float32), TypeError, "x has dtype >i2"),
    ],
)
def test_wrong_arrays_are_refused(x: object, out: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        convert.int16_to_float32(x, out)  # type: ignore[arg-type]


def test_read_only_output_is_refused() -> None:
    out = np.zeros(4, np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        convert.int16_to_float32(np.zeros(4, np.int16), out)


def in_new_process(isa: str, code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SOTTOVOCE_ISA": isa}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_best_instruction_set_is_chosen_unless_one_is_forced() -> None:
    assert convert.available_isas()[0] == "baseline"
    show = "from sottovoce.native import convert; print(convert.isa())"
    assert in_new_process("", show).stdout.strip() == convert.available_isas()[-1]
    assert in_new_process("baseline", show).stdout.strip() == "baseline"


def test_unknown_instruction_set_is_an_error_that_names_the_known() -> None:
    failed = in_new_process("mmx", "import sottovoce.native.convert")
    assert failed.returncode != 0
    assert "SOTTOVOCE_ISA is 'mmx'; this machine can run baseline" in failed.stderr
