"""espeak-ng through ctypes: 141 voices, 12 words in a few ms, the first chunk in less than one; robotic.

espeak-ng has one instance per process, with global settings. So texts take turns, each as long as its synthesis
takes, not as long as its playback: what is ready waits in a bounded queue of its own.
"""

from __future__ import annotations

import ctypes
import threading
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.formats import to_float32
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames

EXTRA = "offline"
PACKAGES = ("espeakng_loader",)
SENDS = ""

NAME = "espeak"

#: Words per minute at speed 1.
NORMAL_WPM = 175
#: Words per minute that espeak-ng can do and a person can follow.
_LEAST_WPM, _MOST_WPM = 80, 525
_MOST_VOLUME = 2.0
# Chunks of 40 ms: a few of them make a prebuffer, and a stop is noticed after one
_CHUNK_MS = 40
# The most that waits for a slow consumer; a thesis is far shorter, so its synthesis never waits for its playback
_MOST_WAITING_S = 30.0

# The names of speak_lib.h 1.52
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _VOLUME = 1, 2
_POS_CHARACTER = 1
_GO_ON, _STOP = 0, 1
# espeak-ng shakes its pitch at random, seeded by the clock; what is spoken twice should sound the same twice
_SEED = 1
_IPA = 2
_STRESS_MARKS = str.maketrans("", "", "ˈˌ")

_VOICE_OF_LANGUAGE = {"en": "en-us"}


def open(*, voice: str = "auto", speed: float = 1.35, volume: float = 1.0) -> EspeakSynthesizer:
    """Open the synthesiser; see :class:`EspeakSynthesizer`."""
    return EspeakSynthesizer(voice=voice, speed=speed, volume=volume)


class EspeakSynthesizer:
    """A synthesiser over espeak-ng; cheap to make, any number may exist in a process.

    Parameters
    ----------
    voice : str
        A voice of espeak-ng, with a variant if wanted ("en-us", "gmw/en-US", "ru", "en-us+f3"), or "auto": the
        voice of the text's language.
    speed : float
        Factor of 175 words a minute; 0.46 to 3.
    volume : float
        Gain, 0 to 2; 1 is the voice's own, above it may clip.

    Raises
    ------
    ConfigError
        A value out of its range.
    """

    name = NAME

    def __init__(self, voice: str = "auto", speed: float = 1.35, volume: float = 1.0) -> None:
        words_per_minute = round(NORMAL_WPM * speed)
        if not _LEAST_WPM <= words_per_minute <= _MOST_WPM:
            least, most = _LEAST_WPM / NORMAL_WPM, _MOST_WPM / NORMAL_WPM
            raise ConfigError(
                f"speed is {speed!r}; {least:.2f} to {most:.2f} are allowed", key="speed", hint="1.35 is usual"
            )
        if not 0.0 <= volume <= _MOST_VOLUME:
            raise ConfigError(f"volume is {volume!r}; 0 to 2 are allowed", key="volume", hint="1 is usual")
        self._voice = voice
        self._words_per_minute = words_per_minute
        self._volume = round(100 * volume)
        self._lock = threading.Lock()
        self._active: set[_Utterance] = set()
        self._closed = False

    @property
    def samplerate(self) -> int:
        return _engine().samplerate

    def warm(self) -> None:
        engine = _engine()
        if self._voice != "auto":
            engine.check_voice(self._voice)

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        """Stream the speech of ``text`` in chunks of about 40 ms; nothing for a text with nothing to say.

        Raises
        ------
        BackendError
            The voice does not exist, espeak-ng failed, or the synthesiser is closed.
        """
        engine = _engine()
        spoken = _speakable(text)
        voice = _VOICE_OF_LANGUAGE.get(language, language) if self._voice == "auto" else self._voice
        utterance = _Utterance(spoken, voice, self._words_per_minute, self._volume, engine.samplerate)
        with self._lock:
            if self._closed:
                raise BackendError("the synthesiser is closed", backend=NAME, hint="open a new one")
            self._active.add(utterance)
        try:
            if spoken:
                yield from self._stream(engine, utterance, cancel)
        finally:
            with self._lock:
                self._active.discard(utterance)

    def close(self) -> None:
        """End what is being spoken. espeak-ng itself stays loaded until the process ends, for other instances."""
        with self._lock:
            self._closed = True
            active = list(self._active)
        for utterance in active:
            _engine().stop(utterance)

    def _stream(self, engine: _Engine, utterance: _Utterance, cancel: CancelToken) -> Iterator[Mono]:
        worker = threading.Thread(target=engine.speak, args=(utterance,), name="sottovoce-espeak", daemon=True)
        forget = cancel.on_cancel(lambda: engine.stop(utterance))
        try:
            worker.start()
            while (chunk := utterance.take()) is not None:
                yield to_float32(chunk)
        finally:  # also when the iterator is given up: the worker ends at its next chunk
            forget()
            engine.stop(utterance)
            worker.join()


def phonemes(text: str, voice: str = "en-us") -> tuple[str, ...]:
    """How espeak-ng would say ``text``, as IPA symbols without stress marks; for recognisers that lack a word.

    Raises
    ------
    BackendError
        The voice does not exist, or espeak-ng cannot be loaded.
    """
    spoken = _speakable(text)
    return _engine().phonemes(spoken, voice) if spoken else ()


class _Utterance:
    """One text on its way: what espeak-ng is to say, and a bounded queue of what it has said."""

    def __init__(self, text: str, voice: str, words_per_minute: int, volume: int, samplerate: int) -> None:
        self.text = text
        self.voice = voice
        self.words_per_minute = words_per_minute
        self.volume = volume
        self._most_frames = s_to_frames(_MOST_WAITING_S, samplerate)
        self._chunks: deque[np.ndarray[Any, np.dtype[np.int16]]] = deque()
        self._frames = 0
        self._changed = threading.Condition()
        self._finished = False
        self._stopped = False
        self._error: BackendError | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped

    def give(self, chunk: np.ndarray[Any, np.dtype[np.int16]]) -> bool:
        """Append a chunk, waiting for room; False if no more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._frames < self._most_frames)
            if self._stopped:
                return False
            self._chunks.append(chunk)
            self._frames += len(chunk)
            self._changed.notify_all()
            return True

    def take(self) -> np.ndarray[Any, np.dtype[np.int16]] | None:
        """Take the next chunk; None at the end, or once stopped; raises what went wrong."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._finished or bool(self._chunks))
            if self._stopped:
                return None
            if self._chunks:
                chunk = self._chunks.popleft()
                self._frames -= len(chunk)
                self._changed.notify_all()
                return chunk
            if self._error is not None:
                raise self._error
            return None

    def finish(self, error: BackendError | None = None) -> None:
        with self._changed:
            self._finished = True
            self._error = error
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._chunks.clear()
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class _Settings:
    voice: str
    words_per_minute: int
    volume: int


class _Engine:
    """The one espeak-ng of this process."""

    def __init__(self) -> None:
        self._library = _load()
        self.samplerate = self._initialize()
        self._turn = threading.Condition()
        self._busy = False
        self._current: _Utterance | None = None
        self._settings: _Settings | None = None
        self._callback = _SynthCallback(self._on_chunk)  # kept: espeak-ng holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, utterance: _Utterance) -> None:
        """Wait for a turn, then synthesise; the body of an utterance's thread."""
        with self._turn:
            self._turn.wait_for(lambda: utterance.stopped or not self._busy)
            if utterance.stopped:
                return
            self._busy = True
        failure: BackendError | None = None
        try:
            self._synthesize(utterance)
        except BackendError as error:
            failure = error
        finally:  # whatever happens, nobody waits for ever
            utterance.finish(failure)
            self._end_turn()

    def stop(self, utterance: _Utterance) -> None:
        """Let an utterance end, whether it has its turn or waits for it."""
        utterance.stop()
        with self._turn:
            self._turn.notify_all()

    def check_voice(self, voice: str) -> None:
        """Raise BackendError if there is no such voice."""
        with self._turn:
            self._turn.wait_for(lambda: not self._busy)
            self._settings = None
            self._set_voice(voice)

    def phonemes(self, text: str, voice: str) -> tuple[str, ...]:
        """IPA symbols of a text, without stress marks."""
        symbols: list[str] = []
        with self._turn:
            self._turn.wait_for(lambda: not self._busy)
            self._settings = None
            self._set_voice(voice)
            rest = ctypes.c_char_p(text.encode("utf-8"))
            while rest.value:  # a clause at a time
                clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, _IPA | ord("_") << 8)
                symbols += clause.decode("utf-8").translate(_STRESS_MARKS).replace(" ", "_").split("_")
        return tuple(symbol for symbol in symbols if symbol)

    def _end_turn(self) -> None:
        with self._turn:
            self._busy = False
            self._turn.notify_all()

    def _synthesize(self, utterance: _Utterance) -> None:
        self._apply(_Settings(utterance.voice, utterance.words_per_minute, utterance.volume))
        text = utterance.text.encode("utf-8")
        self._library.espeak_ng_SetRandSeed(_SEED)
        self._current = utterance
        try:
            code = self._library.espeak_Synth(text, len(text) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        finally:
            self._current = None
            if utterance.stopped:
                self._library.espeak_Cancel()  # else what was left of it begins the next one
        if code != 0:
            raise BackendError(f"espeak-ng could not speak the text (code {code})", backend=NAME, retryable=True)

    def _on_chunk(self, samples: Any, frames: int, _events: int) -> int:
        utterance = self._current
        if utterance is None or utterance.stopped:
            return _STOP
        if not samples or frames <= 0:
            return _GO_ON
        chunk = np.frombuffer(ctypes.string_at(samples, 2 * frames), np.int16)
        return _GO_ON if utterance.give(chunk) else _STOP

    def _apply(self, settings: _Settings) -> None:
        if settings == self._settings:
            return
        self._settings = None
        self._set_voice(settings.voice)
        self._library.espeak_SetParameter(_RATE, settings.words_per_minute, 0)
        self._library.espeak_SetParameter(_VOLUME, settings.volume, 0)
        self._settings = settings

    def _set_voice(self, voice: str) -> None:
        name, _, variant = voice.partition("+")
        if not name or self._library.espeak_SetVoiceByName(name.encode("utf-8")) != 0:
            some = ", ".join(self._voices(None)[:12])
            raise BackendError(
                f"espeak-ng has no voice {voice!r}; it has, for example: {some}", backend=NAME, hint="try en-us"
            )
        if not variant:
            return
        variants = self._voices(b"variant")
        # espeak-ng takes an unknown variant without a word and speaks without it
        if variant not in variants or self._library.espeak_SetVoiceByName(voice.encode("utf-8")) != 0:
            some = ", ".join(variants[:12])
            raise BackendError(
                f"espeak-ng has no variant {variant!r} of a voice; it has, for example: {some}",
                backend=NAME,
                hint=f"try {name}+{variants[0]}" if variants else f"try {name}",
            )

    def _voices(self, language: bytes | None) -> list[str]:
        """Names under which voices of a language, or all voices, can be chosen: those of their files."""
        wanted = _Voice(languages=language) if language else None
        listed = self._library.espeak_ListVoices(ctypes.byref(wanted) if wanted else None)
        identifiers = (entry.contents.identifier.decode("utf-8") for entry in takewhile(bool, listed))
        return sorted({identifier.rpartition("/")[2] for identifier in identifiers})

    def _initialize(self) -> int:
        import espeakng_loader

        data = espeakng_loader.get_data_path()
        samplerate: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _CHUNK_MS, str(data).encode("utf-8"), _INITIALIZE_DONT_EXIT
        )
        if samplerate <= 0:
            raise BackendError(
                f"espeak-ng could not read its data in {data}",
                backend=NAME,
                hint="pip install --force-reinstall espeakng-loader, in an environment whose path is short (under 120)",
            )
        return samplerate


class _Voice(ctypes.Structure):
    """espeak_VOICE of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def _load() -> ctypes.CDLL:
    import espeakng_loader

    path = Path(espeakng_loader.get_library_path())
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BackendError(
            f"espeak-ng cannot be loaded from {path}: {error}",
            backend=NAME,
            hint="pip install --force-reinstall espeakng-loader",
        ) from error
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    )  # fmt: skip
    library.espeak_ListVoices.argtypes = (ctypes.POINTER(_Voice),)
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_TextToPhonemes.argtypes = (ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
    library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
    library.espeak_ng_SetRandSeed.restype = None
    library.espeak_SetSynthCallback.argtypes = (_SynthCallback,)
    library.espeak_SetSynthCallback.restype = None
    return library


_first = threading.Lock()


def _engine() -> _Engine:
    with _first:  # functools.cache alone may run a function twice when two threads come first
        return _make_engine()


@cache
def _make_engine() -> _Engine:
    return _Engine()


def _speakable(text: str) -> str:
    """The text without control characters (espeak-ng takes some for commands); empty if nothing can be said."""
    kept = "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text)
    return kept.strip() if any(character.isalnum() for character in kept) else ""
