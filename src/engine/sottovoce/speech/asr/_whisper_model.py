"""A loaded Whisper model: one for all the workers of a process, on the graphics card while that works.

CUDA fails in ways that Python does not see: where cuDNN is missing or does not fit, CTranslate2 ends the process, and
not before the first inference. So a process of its own tries first, and whatever becomes of it, there is the processor.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.core.errors import BackendError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Mono

NAME = "whisper"

_LOG = get_logger("speech.asr")

#: How long (s) the trial of the graphics card may take; large models are read from a disk.
_TRIAL_S = 120.0

#: Types of numbers by which a graphics card computes, the fastest first.
_CUDA_TYPES = ("float16", "int8_float16", "int8", "float32")

#: A second of nothing, at the 16 kHz that every Whisper model hears.
_QUIET_FRAMES = 16_000

_TRIAL = """
import sys, numpy
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[1], device="cuda", compute_type=sys.argv[2], local_files_only=True)
list(model.transcribe(numpy.zeros(16000, "float32"), language="en", beam_size=1, without_timestamps=True)[0])
"""


@dataclass(frozen=True, slots=True)
class Loading:
    """How a model is loaded.

    Attributes
    ----------
    folder : Path
        Where it lies.
    device : str
        "auto", "cpu" or "cuda"; the latter two of which CUDA may turn out to be the former.
    threads : int
        Of the processor, for one inference; 0 leaves it to CTranslate2 (all cores, at most 4).
    workers : int
        Inferences at the same time.
    """

    folder: Path
    device: str
    threads: int
    workers: int


class SharedModel:
    """A model that several recognisers use; made by :func:`borrow`."""

    def __init__(self, loading: Loading) -> None:
        self._loading = loading
        self._lock = threading.Lock()
        self._model: Any = None
        self.device = ""

    def load(self) -> Any:
        """The model, loaded once, and used once: where a graphics card fails, it fails here.

        Raises
        ------
        BackendError
            It cannot be loaded, on the processor either.
        """
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def transcribe(self, audio: Mono, **options: Any) -> Iterator[Any]:
        """The segments of ``audio``, as faster-whisper has them, each as soon as it is there.

        Should CUDA fail in the middle, the processor goes on with the segment that failed.
        """
        model = self.load()
        given = 0
        try:
            for segment in model.transcribe(audio, **options)[0]:
                yield segment
                given += 1
        except (RuntimeError, OSError, ValueError) as error:
            if not self._retreat(model, error):
                raise BackendError(f"whisper failed: {error}", backend=NAME, retryable=True) from error
            for number, segment in enumerate(self.load().transcribe(audio, **options)[0]):
                if number >= given:
                    yield segment

    def _load(self) -> Any:
        loading = self._loading
        if loading.device != "cpu":
            compute_type, problem = _cuda(loading)
            if not problem and compute_type:
                try:
                    return self._open("cuda", compute_type)
                except (RuntimeError, OSError, ValueError) as error:
                    problem = str(error)
            if problem:
                _tell(problem)
        return self._open_on_processor()

    def _open_on_processor(self) -> Any:
        try:
            return self._open("cpu", "int8")
        except Exception as error:  # tokenizers raises nothing narrower for a broken file
            raise BackendError(
                f"the model in {self._loading.folder} cannot be loaded: {error}",
                backend=NAME,
                hint="it may be damaged: remove it with `sottovoce models remove`, and get it anew",
            ) from error

    def _open(self, device: str, compute_type: str) -> Any:
        from faster_whisper import WhisperModel

        loading = self._loading
        self.device = device
        model = WhisperModel(
            str(loading.folder),
            device=device,
            compute_type=compute_type,
            cpu_threads=loading.threads,
            num_workers=loading.workers,
            local_files_only=True,
        )
        quiet = np.zeros(_QUIET_FRAMES, np.float32)
        deque(model.transcribe(quiet, language="en", beam_size=1, without_timestamps=True, max_new_tokens=1)[0], 0)
        return model

    def _retreat(self, model: Any, error: Exception) -> bool:
        """Take the processor if it was the graphics card that failed."""
        with self._lock:
            if self._model is not model:  # another worker has done so
                return True
            if self.device != "cuda":
                return False
            _tell(str(error))
            self._model = self._open_on_processor()
            return True


_borrowed: dict[Loading, tuple[SharedModel, int]] = {}
_borrowing = threading.Lock()


def borrow(loading: Loading) -> SharedModel:
    """The model of these settings; the same for all who borrow it, until :func:`give_back` has been called as often."""
    with _borrowing:
        model, users = _borrowed.get(loading) or (SharedModel(loading), 0)
        _borrowed[loading] = model, users + 1
        return model


def give_back(loading: Loading) -> None:
    """One who borrowed it needs it no more."""
    with _borrowing:
        model, users = _borrowed[loading]
        if users > 1:
            _borrowed[loading] = model, users - 1
        else:
            del _borrowed[loading]


def _cuda(loading: Loading) -> tuple[str, str]:
    """By which type of numbers the graphics card computes, and what is wrong with it; both empty if there is none."""
    try:
        import ctranslate2

        cards = ctranslate2.get_cuda_device_count()
        supported = ctranslate2.get_supported_compute_types("cuda") if cards else set()
    except (RuntimeError, OSError, ValueError) as error:
        return "", str(error)
    if not cards:
        return "", "there is no such device" if loading.device == "cuda" else ""
    compute_type = next((kind for kind in _CUDA_TYPES if kind in supported), "float32")
    return compute_type, _tried(loading.folder, compute_type)


def _tried(folder: Path, compute_type: str) -> str:
    """Why a process that uses the graphics card does not come to its end; empty if it does."""
    command = [sys.executable, "-c", _TRIAL, str(folder), compute_type]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"it does not answer within {_TRIAL_S:.0f} s"
    except OSError as error:
        return f"it cannot be tried: {error}"
    if done.returncode == 0:
        return ""
    last = done.stderr.strip().splitlines()[-1:] or [""]
    return last[0] or f"exit code {done.returncode}"


def _tell(problem: str) -> None:
    log_event(_LOG, logging.WARNING, "CUDA does not work, whisper runs on the processor", reason=problem)


def lacking(folder: Path) -> str:
    """What a folder lacks to be a model; empty if it lacks nothing."""
    wanted = ("model.bin", "config.json", "tokenizer.json")
    missing = [name for name in wanted if not (folder / name).is_file()]
    with suppress(OSError):
        if not any(folder.glob("vocabulary.*")):
            missing.append("vocabulary.json")
    return ", ".join(missing)
