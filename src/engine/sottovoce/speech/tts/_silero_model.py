"""A voice package of Silero: a file of torch.package with everything in it, its own text processing too.

What is in such a file is run, so its checksum is compared before it is loaded.
"""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.local.file import FileModel
from sottovoce.speech.local.model import damaged

NAME = "silero"


class VoicePackage:
    """The voices of one model; loaded at first use.

    Parameters
    ----------
    model : FileModel or Path
        From the table, or a file of one's own.
    language : str
        What its voices speak.
    """

    def __init__(self, model: FileModel | Path, language: str) -> None:
        self._model = model
        self.language = language
        self._lock = threading.Lock()
        self._loaded: Any = None

    def load(self) -> None:
        """Load it, once.

        Raises
        ------
        BackendError
            It is not on this machine, or it is damaged.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._model)

    def voices(self) -> tuple[str, ...]:
        """Names of the voices in it."""
        self.load()
        return tuple(self._loaded.speakers)

    def speak(self, text: str, voice: str, speed: float, samplerate: int) -> Mono:
        """Say a piece of text, which has to be one that it can say.

        Raises
        ------
        BackendError
            The model failed.
        """
        self.load()
        how = {"speaker": voice, "sample_rate": samplerate}
        percent = round(100 * speed)
        markup = f'<speak><prosody rate="{percent}%">{text}</prosody></speak>'
        said = {"text": text} if percent == 100 else {"ssml_text": markup}
        with self._lock:
            try:
                tensor = self._loaded.apply_tts(**said, **how)
            except Exception as error:  # noqa: BLE001 - the package raises nothing narrower, its text is not repeated
                raise BackendError(
                    f"silero could not say a piece of {len(text)} characters ({type(error).__name__})",
                    backend=NAME,
                    retryable=False,
                    hint="let another synthesiser follow it: tts.backend = 'silero, espeak'",
                ) from None
        return np.ascontiguousarray(tensor.detach().cpu().numpy().reshape(-1), np.float32)


def _load(model: FileModel | Path) -> Any:
    import torch
    from torch.package.package_importer import PackageImporter

    path = model if isinstance(model, Path) else model.verified()
    try:
        with warnings.catch_warnings():  # of its own sources, which nobody here can mend
            warnings.simplefilter("ignore")
            loaded = PackageImporter(str(path)).load_pickle("tts_models", "model")
        loaded.to(torch.device("cpu"))
        if not loaded.speakers:
            raise ValueError("it has no voices")
    except Exception as error:  # whatever code is in the file may raise whatever it likes
        if isinstance(model, FileModel):
            raise damaged(model, str(error)) from error
        raise BackendError(
            f"{path} is no voice of Silero: {error}", backend=NAME, hint="name a file of models.silero.ai"
        ) from error
    return loaded
