"""Any speaker network in ONNX form that takes log mel energies: WeSpeaker's, 3D-Speaker's, CAM++ and their kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding._fbank import fbank
from sottovoce.speech.embedding._network import NetworkEmbedder

EXTRA = "onnx"
PACKAGES = ("onnxruntime",)
SENDS = ""

_BANDS = 80


def open(model: Path | None = None, threshold: float = 0.4, device: str = "auto") -> OnnxEmbedder:
    """Open the network in a file.

    Parameters
    ----------
    model : Path
        The file.
    threshold : float
        Cosine at which the same voice is as likely as another, for some 3 s of speech.
    device : {"auto", "cpu", "cuda"}
        Where it runs.
    """
    return OnnxEmbedder(model, threshold, device)


class OnnxEmbedder(NetworkEmbedder):
    """A network of shape (1, steps, bands) to (1, dimension); parameters as for :func:`open`."""

    name = "onnx"

    def __init__(self, model: Path | None, threshold: float, device: str) -> None:
        if model is None:
            raise ConfigError(
                "no model is named for the embedder 'onnx'",
                key="speaker.onnx_model",
                hint="set speaker.onnx_model to the file of a speaker model, as WeSpeaker's voxceleb_resnet34.onnx",
            )
        if not model.is_file():
            raise ConfigError(f"there is no file {model}", key="speaker.onnx_model", hint="check the spelling")
        super().__init__(threshold, device)
        self._path = model
        self._bands = _BANDS

    def _run(self, network: Any, speech: Mono) -> npt.ArrayLike:
        steps = fbank(speech, self._bands)
        try:
            vector: npt.ArrayLike = network.run(None, {network.get_inputs()[0].name: steps[None]})[0]
        except Exception as error:  # onnxruntime's errors have no base but this
            raise BackendError(
                f"{self._path.name} does not take {steps.shape[1]} bands of speech: {type(error).__name__}",
                backend=self.name,
                hint="choose a speaker model whose input is log mel energies, shape (1, steps, bands)",
            ) from error
        return vector

    def _load(self) -> tuple[Any, Path]:
        session = self._session()
        shape = session.get_inputs()[0].shape
        if len(shape) != 3:
            raise BackendError(
                f"{self._path.name} takes an input of shape {shape}; (1, steps, bands) is wanted",
                backend=self.name,
                hint="choose a speaker model whose input is log mel energies",
            )
        self._bands = shape[2] if isinstance(shape[2], int) else _BANDS
        return session, self._path

    def _session(self) -> Any:
        import onnxruntime

        available = onnxruntime.get_available_providers()
        if self._device == "cuda" and "CUDAExecutionProvider" not in available:
            raise self._no_cuda("onnxruntime", "pip install onnxruntime-gpu, or ")
        wanted = (
            ["CPUExecutionProvider"] if self._device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(
                str(self._path), options, providers=[name for name in wanted if name in available]
            )
        except Exception as error:  # onnxruntime's errors have no base but this
            raise BackendError(
                f"{self._path} is no model that onnxruntime can load: {type(error).__name__}",
                backend=self.name,
                hint="download it again, or update onnxruntime",
            ) from error
