"""The arrays that travel: always float32, C-contiguous."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

#: Shape (frames, channels).
Block: TypeAlias = npt.NDArray[np.float32]

#: Shape (frames,); what the speech parts work on.
Mono: TypeAlias = npt.NDArray[np.float32]
