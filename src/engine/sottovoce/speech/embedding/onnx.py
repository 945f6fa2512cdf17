"""Any speaker network in ONNX form that takes log mel energies: WeSpeaker's, 3D-Speaker's, CAM++ and their kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding._fbank import SAMPLERATE, fbank
from sottovoce.speech.embedding._network import cosine_weights, fingerprint, trim
from sottovoce.speech.embedding.base import Embedding, Scoring, unit

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


class OnnxEmbedder:
    """A network of shape (1, steps, bands) to (1, dimension); parameters as for :func:`open`."""

    name = "onnx"
    samplerate = SAMPLERATE

    def __init__(self, model: Path | None, threshold: float, device: str) -> None:
        if model is None:
            raise ConfigError(
                "no model is named for the embedder 'onnx'",
                key="speaker.onnx_model",
                hint="set speaker.onnx_model to the file of a speaker model, as WeSpeaker's voxceleb_resnet34.onnx",
            )
        if not model.is_file():
            raise ConfigError(f"there is no file {model}", key="speaker.onnx_model", hint="check the spelling")
        self._path = model
        self._device = device
        self._scoring = Scoring(cosine_weights(threshold))
        self._session: Any = None
        self._bands = _BANDS
        self._closed = False
        self.model = f"onnx-{fingerprint(model)}"

    @property
    def scoring(self) -> Scoring:
        return self._scoring

    def warm(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._closed = True
        self._session = None

    def embed(self, audio: Mono) -> Embedding | None:
        session = self._loaded()
        speech, speech_s = trim(audio)
        steps = fbank(speech, self._bands)
        if not len(steps):
            return None
        try:
            vector = session.run(None, {session.get_inputs()[0].name: steps[None]})[0]
        except Exception as error:  # onnxruntime's errors have no base but this
            raise BackendError(
                f"{self._path.name} does not take {steps.shape[1]} bands of speech: {type(error).__name__}",
                backend=self.name,
                hint="choose a speaker model whose input is log mel energies, shape (1, steps, bands)",
            ) from error
        return Embedding(unit(np.asarray(vector, np.float32).reshape(-1)), speech_s)

    def _loaded(self) -> Any:
        if self._closed:
            raise BackendError("the embedder 'onnx' is closed", backend=self.name)
        if self._session is None:
            self._session = self._load()
            shape = self._session.get_inputs()[0].shape
            if len(shape) != 3:
                raise BackendError(
                    f"{self._path.name} takes an input of shape {shape}; (1, steps, bands) is wanted",
                    backend=self.name,
                    hint="choose a speaker model whose input is log mel energies",
                )
            self._bands = shape[2] if isinstance(shape[2], int) else _BANDS
        return self._session

    def _load(self) -> Any:
        import onnxruntime

        available = onnxruntime.get_available_providers()
        if self._device == "cuda" and "CUDAExecutionProvider" not in available:
            raise BackendError(
                "onnxruntime knows no CUDA here",
                backend=self.name,
                hint="pip install onnxruntime-gpu, or set speaker.device to cpu",
            )
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
