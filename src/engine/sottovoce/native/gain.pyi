import numpy as np
import numpy.typing as npt

MAX_RAMP_FRAMES: int

def ramp_gain(x: npt.NDArray[np.float32], start: float, stop: float) -> None: ...
