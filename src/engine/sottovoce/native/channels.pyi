import numpy as np
import numpy.typing as npt

def mix_channels(x: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None: ...
