"""Words: questions that the notes hold, free speech, what is made of sounds in which nobody speaks, and confidence.

The embedded recogniser (pocketsphinx), on recordings of people. Its limit of evidence was tuned on speechbrain's first
speaker, cards, and two speakers of libri_test_other (1688, 2033): :func:`tuning`; its limits of confidence and likeness
are older, and what they were tuned on is not apart from what is heard here. Here it hears others: three speakers of
libri_test_other (2609, 3080, 3331), speechbrain's second, a question, and single sentences of misc.

``wer_questions_in_bank_pct``: short sentences, expected with those of the tuning speakers and the questions of the
sample notes: the bank. ``wer_others_pct``: the same sentences without them in the bank. ``wer_free_pct``: read
literature, expecting the questions of the sample notes. ``false_text_pct``: share of sounds without speech, given to
the recogniser although the detector would not, of which words were made (made sounds of another seed than for tuning;
the recorded noises are those of tuning); ``_heard_``: by the whole path.
``rejected_pct``: share of the sentences of which no word came. ``confidence_error_pct``: expected calibration error of
the confidence as the share of words that are right; ``confidence_auc_pct``: how often a right sentence is believed more
than a wrong one.

``_low`` and ``_high`` are ends of 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.recordings import RATE, Recording, recordings
from bench.sounds import noises
from sottovoce.app.demo import SAMPLE_NOTES
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer, Transcript
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.evaluation.intervals import bootstrap, wilson
from sottovoce.speech.evaluation.words import WordErrors, word_errors
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.segmenter import Segment, Segmenter
from sottovoce.speech.vad import open_vad

TARGETS = {"wer_questions_in_bank_pct": ("<=", 8.0)}

#: Words of a sentence that may be a question of a bank.
MOST_WORDS = 12

TUNED_ON = {"libri-1688", "libri-2033", "sb-spk1", "cards"}
_KINDS = ("questions", "cards", "misc", "speechbrain", "libri_test_other")


@dataclass(frozen=True, slots=True)
class Said:
    """A recording and what was understood."""

    recording: Recording
    transcript: Transcript
    errors: WordErrors


def run(quick: bool) -> dict[str, float]:
    """Measure; nothing without the recordings."""
    test, tuned_on = testing(), tuning()
    if not test:
        return {}
    test = test[:: 4 if quick else 1]
    short = [one for one in test if is_short(one)]
    free = [one for one in test if one.kind == "libri_test_other"]
    notes = sample_questions()
    distractors = [one.text for one in tuned_on if is_short(one)]
    recognizer = PocketsphinxRecognizer()
    recognizer.warm()
    in_bank = hear(recognizer, [*notes, *distractors, *(one.text for one in short)], short)
    others = hear(recognizer, [*notes, *distractors], short)
    read = hear(recognizer, notes, free)
    figures = _wer("wer_questions_in_bank", in_bank) | _wer("wer_others", others) | _wer("wer_free", read)
    figures |= _share("rejected", [not one.transcript.text for one in (*others, *read)])
    figures |= _false_texts(recognizer, 1 if quick else 6)
    figures |= _confidence([*in_bank, *others, *read])
    recognizer.close()
    return figures


def tuning() -> list[Recording]:
    """What limits are tuned on."""
    return [one for one in recordings(*_KINDS) if one.text and one.speaker in TUNED_ON]


def testing() -> list[Recording]:
    """What is measured."""
    return [one for one in recordings(*_KINDS) if one.text and one.speaker not in TUNED_ON and one.name != "ru"]


def is_short(recording: Recording) -> bool:
    return len(recording.text.split()) <= MOST_WORDS


def sample_questions() -> tuple[str, ...]:
    """The questions of the sample notes."""
    index = NotesIndex(read_notes(SAMPLE_NOTES))
    questions = index.questions()
    index.close()
    return questions


def hear(recognizer: Recognizer, bank: Sequence[str], said: Sequence[Recording]) -> list[Said]:
    """Let each be heard with these expected."""
    recognizer.adapt(bank)
    heard = []
    for one in said:
        transcript = recognizer.transcribe(one.audio, CancelToken())
        heard.append(Said(one, transcript, word_errors(one.text, transcript.text)))
    return heard


def soundscape(seed: int, rounds: int) -> list[tuple[str, Mono]]:
    """Sounds in which nobody speaks: made ones, and pieces of the recorded noises."""
    rng = np.random.default_rng(seed)
    made = [item for _ in range(rounds) for item in noises(rng).items()]
    pieces = [
        (noise.name, noise.audio[start : start + 3 * RATE])
        for noise in recordings("noise")
        for start in range(0, len(noise.audio) - 2 * RATE, 3 * RATE)
    ]
    return made + pieces


def _false_texts(recognizer: Recognizer, rounds: int) -> dict[str, float]:
    recognizer.adapt(sample_questions())
    sounds = soundscape(2, rounds)
    texts = [(name, recognizer.transcribe(sound, CancelToken()).text) for name, sound in sounds]
    figures = _share("false_text", [bool(text) for _, text in texts])
    figures |= _share("false_text_music", [bool(text) for name, text in texts if name == "music"])
    heard = []
    for _, sound in sounds:
        segmenter = Segmenter(open_vad("auto"))
        events = [*segmenter.feed(sound), *segmenter.flush()]
        segments = [event for event in events if isinstance(event, Segment)]
        heard.append(any(recognizer.transcribe(segment.audio, CancelToken()).text for segment in segments))
    return figures | _share("false_text_heard", heard)


def _wer(name: str, said: Sequence[Said]) -> dict[str, float]:
    whole = sum((one.errors for one in said), WordErrors())
    low, high = bootstrap([(one.errors.wrong, one.errors.said) for one in said])
    return {
        f"{name}_pct": 100.0 * whole.wrong / whole.said,
        f"{name}_low_pct": 100.0 * low,
        f"{name}_high_pct": 100.0 * high,
        f"{name}_words": float(whole.said),
        f"{name}_utterances": float(len(said)),
    }


def _share(name: str, outcomes: Sequence[bool]) -> dict[str, float]:
    low, high = wilson(sum(outcomes), len(outcomes))
    return {
        f"{name}_pct": 100.0 * sum(outcomes) / len(outcomes),
        f"{name}_low_pct": 100.0 * low,
        f"{name}_high_pct": 100.0 * high,
        f"{name}_trials": float(len(outcomes)),
    }


def right_share(errors: WordErrors) -> float:
    """Share of the words heard that were said."""
    heard = errors.right + errors.replaced + errors.added
    return errors.right / heard if heard else 0.0


def _confidence(said: Sequence[Said]) -> dict[str, float]:
    told = [
        (one.transcript.confidence, right_share(one.errors))
        for one in said
        if one.transcript.text and one.transcript.confidence is not None
    ]
    confidence, right = (np.array(column) for column in zip(*told, strict=True))
    return {
        "confidence_error_pct": 100.0 * calibration_error(confidence, right),
        "confidence_auc_pct": 100.0 * _auc(confidence[right > 0.99], confidence[right < 0.5]),
        "confidence_utterances": float(len(told)),
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 5) -> float:  # type: ignore[type-arg]
    """Mean gap between what is promised and what is kept, over groups of equal size from the least confident up.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
    """
    order = np.argsort(confidence)
    groups = np.array_split(order, bins)
    gaps = [abs(float(confidence[group].mean() - right[group].mean())) * len(group) for group in groups if len(group)]
    return sum(gaps) / len(order)


def _auc(higher: np.ndarray, lower: np.ndarray) -> float:  # type: ignore[type-arg]
    if not len(higher) or not len(lower):
        return 0.5
    return float((higher[:, None] > lower[None, :]).mean() + 0.5 * (higher[:, None] == lower[None, :]).mean())
