"""Silero's voices on this machine, Russian and English, through torch; they come near to a person, and send nothing.

A model speaks one language. A text in another one than the wanted voice's is spoken by the usual voice of that
language.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.local.file import FileModel
from sottovoce.speech.local.folder import default_folder
from sottovoce.speech.local.model import LocalModel
from sottovoce.speech.local.worker import Wanted, Worker
from sottovoce.speech.tts._silero_model import NAME, VoicePackage
from sottovoce.speech.tts._silero_text import pieces

EXTRA = "silero"
PACKAGES = ("torch", "num2words")
SENDS = ""

#: Where the models come from.
SERVER = "https://models.silero.ai/models/tts"

SAMPLERATES = (24_000, 48_000)

#: The voice of each language that "auto" takes.
VOICES = {"ru": "xenia", "en": "en_0"}

#: Voices of the Russian models; those of the English one are en_0 to en_117.
RUSSIAN_VOICES = ("aidar", "baya", "kseniya", "xenia", "eugene")

_TERMS = "CC BY-NC-SA 4.0: not for commercial use"

#: Language, size (bytes) and checksum of the models that have a name of their own. Both are those that many projects
#: have noted for these files; None is noted at the first download.
MODELS: dict[str, tuple[str, int | None, str | None]] = {
    "v5_5_ru": ("ru", 145_420_684, "50081637b602126ee06cb3bc8a744d25651d2da149ee8864b9a379bfdd934437"),
    "v4_ru": ("ru", None, "896ab96347d5bd781ab97959d4fd6885620e5aab52405d3445626eb7c1414b00"),
    "v3_en": ("en", 57_194_546, "02b71034d9f13bc4001195017bac9db1c6bb6115e03fea52983e8abcff13b665"),
}

LEAST_SPEED, MOST_SPEED = 0.5, 3.0
MOST_VOLUME = 2.0

# As long as an espeak chunk: a stop is heard after one of them
_CHUNK_S = 0.04


@dataclass(frozen=True, slots=True)
class SileroSettings:
    """How the synthesiser is set.

    Attributes
    ----------
    voice : str
        A voice of one of the two models, or "auto": the usual one of the text's language.
    language : str
        Whose model :meth:`SileroSynthesizer.warm` loads; the other one is loaded when a text wants it.
    speed, volume : float
        1 is the voice's own; 0.5 to 3, and 0 to 2.
    samplerate : int
        24000 or 48000 Hz.
    ru_model, en_model : str
        One of :data:`MODELS`, or a file.
    folder : Path or None
        Where models lie; None is the usual place.
    deadline_s : float
        How long a sentence may take, those before it included.
    """

    voice: str = "auto"
    language: str = "en"
    speed: float = 1.35
    volume: float = 1.0
    samplerate: int = 48_000
    ru_model: str = "v5_5_ru"
    en_model: str = "v3_en"
    folder: Path | None = None
    deadline_s: float = 10.0


class SileroSynthesizer:
    """A synthesiser over Silero's packages. Texts take turns, each as long as its synthesis takes.

    Parameters
    ----------
    settings : SileroSettings
        See there.

    Raises
    ------
    ConfigError
        A value that is not allowed.
    """

    name = NAME

    def __init__(self, settings: SileroSettings) -> None:
        _check_range("speed", settings.speed, LEAST_SPEED, MOST_SPEED)
        _check_range("volume", settings.volume, 0.0, MOST_VOLUME)
        if settings.samplerate not in SAMPLERATES:
            raise ConfigError(
                f"silero.samplerate is {settings.samplerate}; 24000 and 48000 are allowed",
                key="silero.samplerate",
                hint="48000 is usual",
            )
        self._settings = settings
        self._packages = {
            language: VoicePackage(_chosen(language, name, settings.folder), language)
            for language, name in (("ru", settings.ru_model), ("en", settings.en_model))
        }
        self._chunk_frames = round(_CHUNK_S * settings.samplerate)
        self._worker: Worker[Mono] = Worker(NAME)
        self._lock = threading.Lock()

    @property
    def samplerate(self) -> int:
        return self._settings.samplerate

    def warm(self) -> None:
        """Load the model of the wanted language, and say a word: the first one takes longest.

        Raises
        ------
        BackendError
            It is not on this machine, it is damaged, or it has no such voice.
        """
        package = self._packages[_known(self._settings.language)]
        package.speak({"ru": "да", "en": "yes"}[package.language], self._voice(package), 1.0, self.samplerate)

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        """Stream the speech of ``text``, a sentence at a time, in chunks of 40 ms.

        Raises
        ------
        BackendError
            There is no such voice or model, the model failed or took too long, or the synthesiser is closed.
        """
        package = self._packages[_known(language)]

        def work(wanted: Wanted) -> Iterator[Mono]:
            said = list(pieces(text, package.language))
            voice = self._voice(package) if said else ""
            for piece in said:
                if not wanted():
                    return
                yield package.speak(piece, voice, self._settings.speed, self.samplerate)

        with closing(self._worker.stream(work, cancel, self._settings.deadline_s)) as sentences:  # type: ignore[type-var]
            for sentence in sentences:
                sound = np.clip(sentence * np.float32(self._settings.volume), -1.0, 1.0)
                for start in range(0, len(sound), self._chunk_frames):
                    if cancel.cancelled:
                        return
                    yield sound[start : start + self._chunk_frames]

    def close(self) -> None:
        """End what is being spoken; idempotent."""
        self._worker.close()

    def _voice(self, package: VoicePackage) -> str:
        wanted = self._settings.voice
        voices = package.voices()
        if wanted in voices:
            return wanted
        if wanted != "auto" and not _is_of_the_other(wanted, package.language):
            raise BackendError(
                f"silero has no voice {wanted!r}; for {package.language} it has {', '.join(voices[:12])}",
                backend=NAME,
                hint="set tts.voice to one of them, or to 'auto'",
            )
        usual = VOICES[package.language]
        return usual if usual in voices else voices[0]


def open(
    *,
    voice: str = "auto",
    language: str = "en",
    speed: float = 1.35,
    volume: float = 1.0,
    samplerate: int = 48_000,
    ru_model: str = "v5_5_ru",
    en_model: str = "v3_en",
    folder: Path | None = None,
    deadline_s: float = 10.0,
) -> SileroSynthesizer:
    """The synthesiser over models on this machine; see :class:`SileroSettings`."""
    return SileroSynthesizer(
        SileroSettings(voice, language, speed, volume, samplerate, ru_model, en_model, folder, deadline_s)
    )


def catalogue(folder: Path) -> tuple[LocalModel, ...]:
    """The models that have a name of their own."""
    return tuple(_file_model(name, folder) for name in MODELS)


def needs(
    *,
    language: str = "en",
    ru_model: str = "v5_5_ru",
    en_model: str = "v3_en",
    folder: Path | None = None,
    **ignored: object,
) -> tuple[LocalModel, ...]:
    """The model of these settings; none if it is a file of one's own."""
    chosen = _chosen(_known(language), ru_model if language == "ru" else en_model, folder)
    return () if isinstance(chosen, Path) else (chosen,)


def _chosen(language: str, name: str, folder: Path | None) -> FileModel | Path:
    if name in MODELS and MODELS[name][0] == language:
        return _file_model(name, folder if folder is not None else default_folder())
    path = Path(name).expanduser()
    if path.is_file():
        return path
    names = ", ".join(known for known, (speaks, _, _) in MODELS.items() if speaks == language)
    key = f"silero.{language}_model"
    raise ConfigError(
        f"{key} is {name!r}; there are {names}, or a file that exists", key=key, hint="see `sottovoce models list`"
    )


def _file_model(name: str, folder: Path) -> FileModel:
    language, size_bytes, sha256 = MODELS[name]
    return FileModel(
        name=f"{NAME}/{name}",
        what="voices, Russian" if language == "ru" else "voices, English",
        licence=_TERMS,
        url=f"{SERVER}/{language}/{name}.pt",
        folder=folder / NAME,
        size_bytes=size_bytes,
        sha256=sha256,
    )


def _is_of_the_other(voice: str, language: str) -> bool:
    """Whether a voice belongs to the model of the other language, as far as its name tells."""
    return voice.startswith("en_") if language == "ru" else voice in RUSSIAN_VOICES


def _known(language: str) -> str:
    """The language, if one of the models speaks it."""
    if language in VOICES:
        return language
    raise BackendError(
        f"silero speaks {' and '.join(VOICES)} here, not {language!r}",
        backend=NAME,
        hint="let one that does follow it: tts.backend = 'silero, espeak'",
    )


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(
            f"{name} is {value!r}; {least:g} to {most:g} are allowed", key=f"tts.{name}", hint="1 is usual"
        )
