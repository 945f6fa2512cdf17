from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import reference
from sottovoce.native.gain import ramp_gain
from tests.native.arrays import noise

gains = st.floats(0.0, 4.0, width=32)


@given(st.integers(0, 300), st.integers(1, 4), gains, gains)
def test_ramp_is_a_straight_line(frames: int, channels: int, start: float, stop: float) -> None:
    x = noise(frames, channels)
    ramped = x.copy()
    ramp_gain(ramped, start, stop)
    np.testing.assert_allclose(ramped, reference.ramp_gain(x, start, stop), atol=2e-6)


def test_last_frame_is_at_the_target_so_that_ramps_can_follow() -> None:
    x = np.ones((100, 1), np.float32)
    ramp_gain(x, 0.0, 1.0)
    assert x[0, 0] == pytest.approx(0.01)
    assert x[-1, 0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("start", "stop"), [(math.nan, 1.0), (0.0, math.inf)])
def test_gain_that_is_not_finite_is_refused(start: float, stop: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        ramp_gain(np.zeros((1, 1), np.float32), start, stop)
