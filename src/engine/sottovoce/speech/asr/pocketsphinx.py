"""pocketsphinx: English only, for prepared questions and commands; 2 to 60 % of words wrong, as they are expected.

It hears the questions of the notes first, and everything else second ("switched"): a trigram model of the notes'
questions decodes each segment; where its words are certain, that is the answer, and where they come close to one of
the questions, that question is. Where they are not certain, the segment is decoded again with the default model.

The other way, one model of both ("interpolated": trigrams of the questions over the default model's 5000 or 20000
commonest words, with and without its bigrams), was measured and is worse at everything: ``bench/cases/hearing_lm.py``
measures both, docs/speech.md has the figures.
"""

from __future__ import annotations

import difflib
import logging
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.formats import to_int16
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Mono
from sottovoce.speech.asr._live import LiveDecoder, LiveStream
from sottovoce.speech.asr._ngrams import write_arpa
from sottovoce.speech.asr._pronunciations import arpabet
from sottovoce.speech.asr.base import Transcript

EXTRA = "offline"
PACKAGES = ("pocketsphinx",)
SENDS = ""

NAME = "pocketsphinx"
SAMPLERATE = 16000
LANGUAGE = "en"

#: Mean posterior of its words from which the model of the questions is believed. Its own questions have 0.94 in the
#: median; of 40 other questions 1 has as much, of 24 short recordings 4, of 22 read sentences none.
LEAST_CONFIDENCE = 0.9
#: Likeness of letters (difflib's ratio) from which what was heard is taken for a question of the notes.
LEAST_LIKENESS = 0.75
#: Share of a segment that words must fill; noise yields a short word here and there.
LEAST_COVERAGE = 0.25
#: The same times the confidence in them: of 28 recordings 0.23 at least, "what time is it" with its pauses 0.37; of
#: music 0.13, of noises 0.2 where the share alone refuses them, else 0.06.
LEAST_EVIDENCE = 0.18

# A single word does not last longer; one that does has swallowed noise
_LONGEST_WORD_S = 0.8
_FRAMES_PER_S = 100
_LEAST_FRAMES = SAMPLERATE // 10
# Between two pieces other threads run and cancellation is seen: the binding holds the GIL while it decodes
_PIECE_FRAMES = SAMPLERATE // 10
_MEAN_FRAMES = 15 * SAMPLERATE
_LOG = get_logger("speech.asr")

Wanted: TypeAlias = Callable[[], bool]


def open(*, language: str = LANGUAGE) -> PocketsphinxRecognizer:
    """Open the recogniser; see :class:`PocketsphinxRecognizer`."""
    return PocketsphinxRecognizer(language=language)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    length_s: float
    posterior: float


@dataclass(frozen=True, slots=True)
class _Hearing:
    """What one pass has heard in a segment of ``length_s`` seconds."""

    words: tuple[_Word, ...]
    length_s: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean posterior of the words, weighted by their length: 0 to 1."""
        total_s = sum(word.length_s for word in self.words)
        return sum(word.length_s * word.posterior for word in self.words) / total_s if total_s else 0.0

    @property
    def is_speech(self) -> bool:
        spoken_s = sum(min(word.length_s, _LONGEST_WORD_S) for word in self.words)
        enough = spoken_s >= LEAST_COVERAGE * self.length_s
        return enough and spoken_s * self.confidence >= LEAST_EVIDENCE * self.length_s


class PocketsphinxRecognizer:
    """A recogniser over pocketsphinx and the English model in its wheel; about 150 MB once loaded.

    :attr:`Transcript.confidence` is the share of the words that are right, as far as can be told: the mean of their
    posteriors in the lattice, weighted by their length (on ten recordings with the default model the mean is 0.64, and
    0.64 of the words are right); where a question of the notes is taken for what was heard, its likeness to that. The
    text is empty where words fill too little of the segment, or are too uncertain for what they fill: noise, music.

    Parameters
    ----------
    language : str
        Only "en".

    Raises
    ------
    ConfigError
        Another language.
    """

    name = NAME
    samplerate = SAMPLERATE

    def __init__(self, language: str = LANGUAGE) -> None:
        if language != LANGUAGE:
            raise ConfigError(
                f"language is {language!r}; pocketsphinx understands only 'en'",
                key="language",
                hint="set asr.language to 'en', or choose another recogniser",
            )
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._engine: _Engine | None = None
        self._phrases: tuple[str, ...] = ()

    def warm(self) -> None:
        with self._lock:
            self._loaded()

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Expect these phrases; earlier ones are forgotten. Words alone are of no use: they need a context.

        A word that the dictionary lacks is pronounced by espeak-ng where that is installed, and left out otherwise.
        """
        with self._lock:
            self._phrases = tuple(phrases)
            if self._engine is not None:
                self._engine.expect(self._phrases)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        with self._lock:
            engine = self._loaded()
            if len(audio) < _LEAST_FRAMES or cancel.cancelled:
                return Transcript("", LANGUAGE, 0.0, NAME)
            try:
                return self._transcribe(engine, to_int16(audio).tobytes(), cancel)
            except RuntimeError as error:
                raise BackendError(f"pocketsphinx failed: {error}", backend=NAME, retryable=True) from error

    def listen(self, heard: Callable[[Transcript], None]) -> LiveStream:
        """Begin a segment; see :class:`~sottovoce.speech.asr.base.StreamingRecognizer`.

        While it is being spoken, only the questions that are expected are listened for: what comes close to one of them
        is taken for it, before it has been said to its end.
        """
        engine = self._engine  # without the lock, which is held while a segment is transcribed
        live, mean = (engine.live, engine.mean) if engine is not None else (None, "")

        def tell(text: str) -> None:
            heard(Transcript(text, LANGUAGE, None, NAME))

        return LiveStream(live, mean, self.transcribe, tell)

    def close(self) -> None:
        self._closing.set()  # ends a transcription within a piece
        with self._lock:
            self._engine = None

    def _loaded(self) -> _Engine:
        if self._closing.is_set():
            raise BackendError("the recogniser is closed", backend=NAME, hint="open a new one")
        if self._engine is None:
            self._engine = _Engine()
            self._engine.expect(self._phrases)
        return self._engine

    def _transcribe(self, engine: _Engine, pcm: bytes, cancel: CancelToken) -> Transcript:
        def wanted() -> bool:
            return not (cancel.cancelled or self._closing.is_set())

        mean = engine.cepstral_mean(pcm, wanted)
        if not wanted():
            return Transcript("", LANGUAGE, 0.0, NAME)
        expected: _Hearing | None = None
        if engine.expecting:
            expected = engine.decode(pcm, mean, wanted, notes=True)
            if expected.is_speech and (found := engine.closest(expected.text)) is not None:
                question, likeness = found
                return Transcript(question, LANGUAGE, likeness, NAME)
            if not wanted() or (expected.is_speech and expected.confidence >= LEAST_CONFIDENCE):
                return Transcript(expected.text, LANGUAGE, expected.confidence, NAME)
        heard = engine.decode(pcm, mean, wanted, notes=False)
        if expected is not None and expected.is_speech and expected.text == heard.text:
            # Two models of language that hear the same words, however uncertain the one that could hear any
            return Transcript(expected.text, LANGUAGE, expected.confidence, NAME)
        return Transcript(heard.text if heard.is_speech else "", LANGUAGE, heard.confidence, NAME)


def _mean_of(means: Sequence[str], lengths: Sequence[int]) -> str:
    """Of the whole, from those of its pieces."""
    values = [[float(value) for value in mean.split(",")] for mean in means]
    return ",".join(f"{value:.6g}" for value in np.average(values, axis=0, weights=lengths))


class _Engine:
    """Up to three decoders: one for everything, one for the notes' questions, and a tiny one, the scout.

    Features must be normalised by the mean of the whole segment, which pocketsphinx does only if it gets the whole
    segment in one call: one that can neither be cancelled nor lets another thread run. So the scout, which knows one
    word and costs 2 ms per second of audio, takes the mean (of 15 s at once, to be left in time), and the others decode
    pieces with it: as well as the whole (84 of 100 questions exact before any correction; with a running mean, 78).
    """

    def __init__(self) -> None:
        try:
            # fewer HMMs in a frame than the default's 30000: a quarter faster, no worse
            self._everything = _decoder(maxhmmpf=3000)
            with _dictionary({"a": ["AH"]}) as path:
                self._scout = _decoder(lm=None, dict=path, bestpath=False)
        except (RuntimeError, OSError) as error:
            raise BackendError(
                f"pocketsphinx cannot load its English model: {error}",
                backend=NAME,
                hint="pip install --force-reinstall pocketsphinx",
            ) from error
        self._scout.add_fsg("scout", self._scout.create_fsg("scout", 0, 1, [(0, 1, 1.0, "a")]))
        self._scout.activate_search("scout")
        self._questions: dict[str, str] = {}
        self._notes: Any = None
        self.live: LiveDecoder | None = None
        self.mean = ""  # of the last segment

    @property
    def expecting(self) -> bool:
        """True if there are questions to be expected."""
        return self._notes is not None

    def expect(self, phrases: Iterable[str]) -> None:
        """Make the decoder of these phrases, in place of an earlier one.

        It has a dictionary of its own: made in 10 ms, where one more model in the other decoder took 2 s.
        """
        spoken = {phrase.strip(): words_of(phrase) for phrase in phrases}
        known = self._pronunciations({word for words in spoken.values() for word in words})
        heard = {phrase: " ".join(word for word in words if word in known) for phrase, words in spoken.items()}
        self._questions = {question: phrase for phrase, question in heard.items() if question}
        self._notes = self.live = None
        if self._questions:
            with _dictionary(known) as path, _language_model(self._questions) as model:
                self._notes = _decoder(lm=model, dict=path)
                self.live = LiveDecoder(_decoder(lm=model, dict=path, bestpath=False), self.nearest)

    def nearest(self, text: str) -> str | None:
        """The phrase that ``text`` comes close to, as it was given, if there is one."""
        found = self.closest(text)
        return None if found is None else found[0]

    def closest(self, text: str) -> tuple[str, float] | None:
        """The same with its likeness, 0 to 1."""
        close = difflib.get_close_matches(text, self._questions, n=1, cutoff=LEAST_LIKENESS)
        if not close:
            return None
        return self._questions[close[0]], difflib.SequenceMatcher(None, text, close[0]).ratio()

    def cepstral_mean(self, pcm: bytes, wanted: Wanted) -> str:
        """Mean of the cepstra of a whole segment, as the decoders want it; of any once it is not wanted any more."""
        means: list[str] = []
        lengths: list[int] = []
        for start in range(0, len(pcm), 2 * _MEAN_FRAMES):
            if not wanted():
                return self.mean
            piece = pcm[start : start + 2 * _MEAN_FRAMES]
            self._scout.reinit_feat()
            self._scout.start_utt()
            self._scout.process_raw(piece, full_utt=True)
            self._scout.end_utt()
            means.append(str(self._scout.get_cmn()))
            lengths.append(len(piece))
        self.mean = means[0] if len(means) == 1 else _mean_of(means, lengths)
        return self.mean

    def decode(self, pcm: bytes, mean: str, wanted: Wanted, *, notes: bool) -> _Hearing:
        """Decode int16 audio, as a question of the notes or as anything; nothing once it is not wanted any more."""
        length_s = len(pcm) / 2 / SAMPLERATE
        decoder = self._notes if notes else self._everything
        decoder.reinit_feat()  # else the noise of the segment before would be subtracted from this one
        decoder.set_cmn(mean)
        decoder.start_utt()
        try:
            for start in range(0, len(pcm), 2 * _PIECE_FRAMES):
                if not wanted():
                    return _Hearing((), length_s)
                decoder.process_raw(pcm[start : start + 2 * _PIECE_FRAMES])
        finally:
            decoder.end_utt()
        return _Hearing(tuple(_words(decoder)), length_s)

    def _pronunciations(self, words: set[str]) -> dict[str, list[str]]:
        """Phones of each word that can be pronounced, in every way that the dictionary knows."""
        known: dict[str, list[str]] = {}
        for word in sorted(words):
            names = chain([word], (f"{word}({number})" for number in count(2)))
            phones = list(takewhile(bool, map(self._everything.lookup_word, names)))
            if not phones:
                phones = [guess] if (guess := _pronounce(word)) else []
            if phones:
                known[word] = phones
        if len(known) < len(words):
            log_event(_LOG, logging.WARNING, "words of the notes cannot be heard", words=len(words) - len(known))
        return known


def _decoder(**settings: object) -> Any:
    """A decoder of the English model. Without its second pass it takes half the time and is no worse."""
    import pocketsphinx

    return pocketsphinx.Decoder(loglevel="FATAL", fwdflat=False, **settings)


def _words(decoder: Any) -> Iterator[_Word]:
    if decoder.hyp() is None:
        return
    for segment in decoder.seg():
        if not segment.word.startswith(("<", "[", "++")):  # sentence borders, silence, noises
            frames = segment.end_frame - segment.start_frame + 1
            text = re.sub(r"\(\d+\)$", "", segment.word)  # a second pronunciation
            yield _Word(text, frames / _FRAMES_PER_S, min(1.0, segment.prob))


@contextmanager
def _dictionary(pronunciations: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The path of a dictionary file, while pocketsphinx reads it."""
    with tempfile.TemporaryDirectory(prefix="sottovoce-") as folder:
        path = Path(folder) / "words.dict"
        lines = [
            f"{word} {phones}\n" if number == 1 else f"{word}({number}) {phones}\n"
            for word, ways in pronunciations.items()
            for number, phones in enumerate(ways, 1)
        ]
        path.write_text("".join(lines), encoding="utf-8", newline="\n")
        yield str(path)


@contextmanager
def _language_model(questions: Iterable[str]) -> Iterator[str]:
    """The path of a language model file, while pocketsphinx reads it."""
    with tempfile.TemporaryDirectory(prefix="sottovoce-") as folder:
        path = Path(folder) / "notes.arpa"
        write_arpa(path, [question.split() for question in questions])
        yield str(path)


def words_of(phrase: str) -> list[str]:
    """The words of a phrase as the dictionary writes them: lower case, apostrophes kept, no punctuation.

    Examples
    --------
    >>> words_of("What's C++, and why (so) fast?")
    ["what's", 'c++', 'and', 'why', 'so', 'fast']
    """
    parts = re.split(r"[\s/\-\u2010-\u2015_()<>\[\]{}]+", phrase.lower().replace("\u2019", "'"))
    words = (part.strip(".,;:!?\"'`*~|\u201c\u201d\u201e\u00ab\u00bb\u2026\u00bf\u00a1") for part in parts)
    return [word for word in words if any(character.isalnum() for character in word)]


def _pronounce(word: str) -> str:
    """ARPAbet phones of a word, or nothing if espeak-ng is not there or does not know."""
    try:
        from sottovoce.speech.tts.espeak import phonemes

        return arpabet(phonemes(word))
    except (BackendError, ImportError):
        return ""
