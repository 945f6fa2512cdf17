"""Two ways to let the embedded recogniser expect the questions of the notes, and the default model alone.

``switched`` is what is shipped: a trigram model of the questions hears first, and the default model hears again what is
not near one of them. ``interpolated`` is one model: the trigrams of the questions over the 5000 commonest words of the
default model. Each hears the questions of the sample notes in two voices of espeak (``bank``), other questions and
sentences (``other``), and, where the recordings are (SOTTOVOCE_SHARED, or a folder ``shared`` beside the project),
cards and a short question in a bank that holds them (``real``), and read sentences (``free``).

``*_wer_pct``: words wrong; ``*_exact_pct``: utterances with none wrong; ``*_rtf``: time over length of the audio.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.recordings import RATE, recordings
from sottovoce.app.demo import SAMPLE_NOTES
from sottovoce.audio.resampler import Resampler
from sottovoce.core.cancel import CancelToken
from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono
from sottovoce.speech.asr._ngrams import write_arpa
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer, words_of
from sottovoce.speech.evaluation.words import word_errors
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.registry import open_synthesizer

VOICES = ("en-us", "en-us+f3")
OTHER = (
    "How many planets are there?",
    "Could you open the window please?",
    "Where is the nearest train station?",
    "I think we should go home now.",
    "What did you have for breakfast today?",
    "She bought a new car last week.",
    "Tell me about your favourite book.",
    "When does the next meeting start?",
)
BACKGROUND_WORDS, BACKGROUND_SHARE = 5000, 0.3

Item = tuple[str, Mono]
Hear = Callable[[Mono], str]


def run(quick: bool) -> dict[str, float]:
    """Let each way hear each set."""
    index = NotesIndex(read_notes(SAMPLE_NOTES))
    bank = [question for question in index.questions() if question.endswith("?")]
    index.close()
    real = [(one.text, one.audio) for one in recordings("questions", "cards")]
    free = [(one.text, one.audio) for one in recordings("libri_test_other")][:: 6 if quick else 3]
    sets: dict[str, tuple[Sequence[str], list[Item]]] = {
        "bank": (bank, [(text, _spoken(text, voice)) for text in bank for voice in VOICES[: 1 if quick else 2]]),
        "other": (bank, [(text, _spoken(text, voice)) for text in OTHER for voice in VOICES[: 1 if quick else 2]]),
    }
    if real:
        sets["real"] = ([text for text, _ in real], real)
        sets["free"] = (bank, free)
    figures: dict[str, float] = {}
    for name, (phrases, items) in sets.items():
        for way, hear in _ways(phrases).items():
            figures |= {f"{name}_{way}_{key}": value for key, value in _measure(hear, items).items()}
    return figures


def _ways(phrases: Sequence[str]) -> dict[str, Hear]:
    switched, default = PocketsphinxRecognizer(), PocketsphinxRecognizer()
    switched.warm()
    default.warm()
    switched.adapt(phrases)
    return {
        "switched": lambda audio: switched.transcribe(audio, CancelToken()).text,
        "interpolated": _interpolated(phrases),
        "default": lambda audio: default.transcribe(audio, CancelToken()).text,
    }


def _interpolated(phrases: Sequence[str]) -> Hear:
    import pocketsphinx

    default = pocketsphinx.Decoder(loglevel="FATAL", fwdflat=False, maxhmmpf=3000)
    known = [words for words in map(words_of, phrases) if all(default.lookup_word(word) for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mixed.arpa"
        write_arpa(path, known)
        _mix_in(path, _commonest(default))
        decoder = pocketsphinx.Decoder(loglevel="FATAL", fwdflat=False, maxhmmpf=3000, lm=str(path))

    def hear(audio: Mono) -> str:
        decoder.start_utt()
        decoder.process_raw(to_int16(audio).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""

    return hear


def _commonest(decoder: Any) -> dict[str, float]:
    """The commonest words of the default model with their probabilities."""
    import pocketsphinx

    folder = Path(pocketsphinx.get_model_path()) / "en-us"
    model = pocketsphinx.NGramModel(decoder.config, decoder.logmath, str(folder / "en-us.lm.bin"))
    lines = (folder / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
    words = {line.split()[0] for line in lines if "(" not in line.split()[0]}
    found = {word: decoder.logmath.exp(int(model.prob([word]))) for word in words}
    commonest = sorted(found, key=lambda word: -found[word])[:BACKGROUND_WORDS]
    total = sum(found[word] for word in commonest)
    return {word: found[word] / total for word in commonest}


def _mix_in(path: Path, background: dict[str, float]) -> None:
    """Give the words of ``background`` their share of the single words of an ARPA file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = lines.index("\\1-grams:") + 1
    end = lines.index("", start)
    rows = [line.split("\t") for line in lines[start:end]]
    mixed = {row[1]: (1 - BACKGROUND_SHARE) * 10 ** float(row[0]) for row in rows}
    backoff = {row[1]: row[2] for row in rows if len(row) > 2}
    for word, probability in background.items():
        mixed[word] = mixed.get(word, 0.0) + BACKGROUND_SHARE * probability
    unigrams = [
        f"{-99.0 if word == '<s>' else np.log10(probability):.4f}\t{word}\t{backoff.get(word, '0.0')}"
        for word, probability in sorted(mixed.items())
    ]
    header = [f"ngram 1={len(unigrams)}" if line.startswith("ngram 1=") else line for line in lines[:start]]
    path.write_text("\n".join([*header, *unigrams, *lines[end:]]) + "\n", encoding="utf-8")


def _measure(hear: Hear, items: Sequence[Item]) -> dict[str, float]:
    wrong = words = exact = 0
    spent_s = length_s = 0.0
    for text, audio in items:
        start_s = time.perf_counter()
        heard = hear(audio)
        spent_s += time.perf_counter() - start_s
        length_s += len(audio) / RATE
        errors = word_errors(text, heard)
        wrong += errors.wrong
        words += errors.said
        exact += not errors.wrong
    return {
        "wer_pct": 100.0 * wrong / words,
        "exact_pct": 100.0 * exact / len(items),
        "rtf": spent_s / length_s,
        "utterances": float(len(items)),
    }


def _spoken(text: str, voice: str) -> Mono:
    synthesizer = open_synthesizer("espeak", voice=voice, speed=0.9)
    sound = np.concatenate(list(synthesizer.synthesize(text, "en", CancelToken())))
    resampler = Resampler(synthesizer.samplerate, RATE)
    quiet = np.zeros(RATE // 4, np.float32)
    return np.concatenate([quiet, resampler.process(sound), resampler.flush(), quiet])
