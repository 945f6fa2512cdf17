"""Whisper on this machine, through faster-whisper: any language, on the processor (int8) or a graphics card.

Inference cannot be interrupted, so it runs in a thread of its own: cancelled, a segment is left within milliseconds,
and what is still computed of it ends with the window of 30 s that is being decoded.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.asr._hint import hint_of
from sottovoce.speech.asr._whisper_model import NAME, Loading, SharedModel, borrow, give_back, lacking
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.local.hub import HubModel
from sottovoce.speech.local.model import LocalModel, located
from sottovoce.speech.local.worker import Wanted, Worker

EXTRA = "whisper"
PACKAGES = ("faster_whisper",)
SENDS = ""

SAMPLERATE = 16_000

#: Repositories and sizes (bytes, about) of the models that have a name of their own.
SIZES = {
    "tiny": ("Systran/faster-whisper-tiny", 78_000_000),
    "base": ("Systran/faster-whisper-base", 148_000_000),
    "small": ("Systran/faster-whisper-small", 486_000_000),
    "medium": ("Systran/faster-whisper-medium", 1_530_000_000),
    "large-v3": ("Systran/faster-whisper-large-v3", 3_090_000_000),
    "large-v3-turbo": ("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1_620_000_000),
}
SIZE = "small"

#: Shorter clips (s) hold no word, and one with no sample above this level is silence, of which Whisper makes words.
MIN_CLIP_S = 0.1
SILENCE = 1e-4

#: Length (s) of what the model hears at once.
WINDOW_S = 30.0

#: A longer clip is cut within so many seconds before the end of a window, in the quietest piece of this length (s).
_CUT_WITHIN_S, _CUT_S = 5.0, 0.1

#: Characters of the hint. It is read before each window, so a longer one costs time; the model takes 223 tokens of it.
MAX_HINT_CHARS = 400

#: Most tokens for a clip: faster than anybody speaks, so that a model that repeats itself is stopped.
_TOKENS_PER_S, _TOKENS_MORE, _MOST_TOKENS = 12, 24, 200

#: A window whose tokens are less likely than this (mean logarithm), or which repeats itself so much that it can be
#: compressed like this, is not speech. Whisper's own limits (-1, with a probability of silence above 0.6, and 2.4) are
#: for windows with context; a short question is less certain.
LEAST_LOG_PROBABILITY = -1.5
MOST_COMPRESSION = 2.4

#: Credits of subtitles, which Whisper has learnt to hear in silence and music.
_CREDITS = re.compile(
    r"субтитры (сделал|создавал|делал|подогнал|подготовил)|редактор субтитров|корректор [а-я]\.|dimatorzok"
    r"|продолжение следует\W*$|subtitles by|subtitled by|transcribed by|amara\.org|thanks? (you )?for watching",
    re.IGNORECASE,
)

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class WhisperSettings:
    """How the recogniser is set.

    Attributes
    ----------
    model : str
        One of :data:`SIZES`, a repository of the hub ("owner/name"), or a folder.
    language : str
        ISO 639-1 code of what is spoken.
    device : str
        "auto", "cpu" or "cuda".
    beam_size : int
        Guesses that are followed at the same time.
    threads : int
        Of the processor; 0 leaves it to the library.
    workers : int
        Recognisers that share the model.
    deadline_s : float
        How long each 30 s of a segment may take, the segment before it included.
    """

    model: str = SIZE
    language: str = _LANGUAGE
    device: str = "auto"
    beam_size: int = 1
    threads: int = 0
    workers: int = 1
    deadline_s: float = 10.0


class WhisperRecognizer:
    """A recogniser over faster-whisper.

    :attr:`Transcript.confidence` is the mean probability of the tokens. The text is empty where the model itself
    doubts that anybody spoke, repeats itself, or says what only subtitles say.

    Parameters
    ----------
    settings : WhisperSettings
        See there.

    Raises
    ------
    ConfigError
        There cannot be such a model.
    """

    name = NAME
    samplerate = SAMPLERATE

    def __init__(self, settings: WhisperSettings) -> None:
        self._settings = settings
        self._wanted = _chosen(settings.model)
        self._hint = ""
        self._lock = threading.Lock()
        self._loading: Loading | None = None
        self._model: SharedModel | None = None
        self._closed = False
        self._worker: Worker[list[Any]] = Worker(NAME)

    def warm(self) -> None:
        """Load the model, and compute with it once.

        Raises
        ------
        BackendError
            It is not on this machine, or damaged.
        """
        self._shared()

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Expect these: they are given to the model as what was said before each window."""
        self._hint = hint_of(phrases, words, MAX_HINT_CHARS)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """Recognise one segment; of one that is too short for a word, or silent, nothing is made.

        Raises
        ------
        BackendError
            The model cannot be loaded, it failed, or it took too long.
        """
        heard: list[Any] = []
        model = self._shared()
        windows = [window for window in _windows(audio) if _holds_sound(window)]
        if windows:

            def work(wanted: Wanted) -> Iterator[list[Any]]:
                for window in windows:
                    if not wanted():
                        return
                    yield list(model.transcribe(window, **self._options(len(window) / SAMPLERATE)))

            with closing(self._worker.stream(work, cancel, self._settings.deadline_s)) as found:  # type: ignore[type-var]
                heard = [segment for segments in found for segment in segments if _is_speech(segment)]
        return Transcript(_text(heard), self._settings.language, _confidence(heard), NAME)

    def close(self) -> None:
        """Give up the segment in work; idempotent. The model is freed with the last of its recognisers."""
        self._closed = True
        self._worker.close()
        with self._lock:
            if self._loading is not None:
                give_back(self._loading)
            self._loading = self._model = None

    def _shared(self) -> SharedModel:
        with self._lock:
            if self._closed:
                raise BackendError("the recogniser is closed", backend=NAME, hint="open a new one")
            if self._model is None:
                settings = self._settings
                self._loading = Loading(_folder(self._wanted), settings.device, settings.threads, settings.workers)
                self._model = borrow(self._loading)
            self._model.load()
            return self._model

    def _options(self, length_s: float) -> dict[str, object]:
        """How faster-whisper is asked; a window knows nothing of those before it, as one that goes wrong spoils all."""
        return {
            "language": self._settings.language,
            "beam_size": self._settings.beam_size,
            "temperature": 0.0,
            "condition_on_previous_text": False,
            "without_timestamps": True,
            "max_new_tokens": min(_MOST_TOKENS, _TOKENS_MORE + math.ceil(_TOKENS_PER_S * length_s)),
            "hotwords": self._hint or None,
        }


def open(
    *,
    model: str = SIZE,
    language: str = _LANGUAGE,
    device: str = "auto",
    beam_size: int = 1,
    threads: int = 0,
    workers: int = 1,
    deadline_s: float = 10.0,
) -> WhisperRecognizer:
    """The recogniser over a model on this machine; see :class:`WhisperSettings`."""
    return WhisperRecognizer(WhisperSettings(model, language, device, beam_size, threads, workers, deadline_s))


def catalogue(folder: Path) -> tuple[LocalModel, ...]:
    """The models that have a name of their own; the cache of the hub is where they lie."""
    return tuple(_hub_model(size) for size in SIZES)


def needs(*, model: str = SIZE, **ignored: object) -> tuple[LocalModel, ...]:
    """The model of these settings; none if it is a folder."""
    chosen = _chosen(model)
    return () if isinstance(chosen, Path) else (chosen,)


def _chosen(model: str) -> LocalModel | Path:
    if model in SIZES:
        return _hub_model(model)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if _REPOSITORY.fullmatch(model):
        return _hub_model(model)
    raise ConfigError(
        f"whisper.model is {model!r}; there are {', '.join(SIZES)}, a repository of the hub (owner/name), "
        "or a folder that exists",
        key="whisper.model",
        hint=f"choose {SIZE!r}",
    )


def _hub_model(size: str) -> HubModel:
    repository, about_bytes = SIZES.get(size, (size, None))
    return HubModel(
        name=f"{NAME}/{size}",
        what="recognition, 99 languages",
        licence="MIT" if size in SIZES else "",
        repository=repository,
        needed=("model.bin", "config.json", "tokenizer.json", "vocabulary.*"),
        welcome=("preprocessor_config.json",),
        about_bytes=about_bytes,
    )


def _folder(model: LocalModel | Path) -> Path:
    if not isinstance(model, Path):
        return located(model)
    if missing := lacking(model):
        raise BackendError(
            f"{model} is no model for whisper: it has no {missing}",
            backend=NAME,
            hint=f"convert one with ct2-transformers-converter, or set whisper.model to {SIZE!r}",
        )
    return model


def _windows(audio: Mono) -> Iterator[Mono]:
    """The clip in pieces that the model hears at once, cut where it is quietest in the last seconds of each.

    A longer one would be heard whole by the library, too, but without a seam at which it could be given up, and its
    features made in one step that holds the GIL.
    """
    window, last, piece = (round(length_s * SAMPLERATE) for length_s in (WINDOW_S, _CUT_WITHIN_S, _CUT_S))
    while len(audio) > window:
        levels = np.square(audio[window - last : window]).reshape(-1, piece).mean(1)
        cut = window - last + int(np.argmin(levels)) * piece + piece // 2
        yield audio[:cut]
        audio = audio[cut:]
    yield audio


def _holds_sound(window: Mono) -> bool:
    return len(window) >= MIN_CLIP_S * SAMPLERATE and bool(np.abs(window).max() > SILENCE)


def _is_speech(segment: Any) -> bool:
    return (
        segment.avg_logprob >= LEAST_LOG_PROBABILITY
        and segment.compression_ratio <= MOST_COMPRESSION
        and not _CREDITS.search(segment.text)
    )


def _text(segments: Sequence[Any]) -> str:
    return " ".join(segment.text.strip() for segment in segments).strip()


def _confidence(segments: Sequence[Any]) -> float:
    """Mean probability of the tokens, weighted by the length of their windows: 0 to 1."""
    length_s = sum(segment.end - segment.start for segment in segments)
    if not length_s:
        return 0.0
    weighted = sum((segment.end - segment.start) * math.exp(segment.avg_logprob) for segment in segments)
    return min(1.0, float(weighted / length_s))
