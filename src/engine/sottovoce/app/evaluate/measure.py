"""From recordings to figures: what was heard of each, and how good that is, by condition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sottovoce.app.evaluate.manifest import Item
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.evaluation.frames import FrameCounts, count_frames, spans_of
from sottovoce.speech.evaluation.intervals import bootstrap, wilson
from sottovoce.speech.evaluation.trials import ErrorCurve, equal_error_interval, error_curve
from sottovoce.speech.evaluation.words import WordErrors, word_errors
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.segmenter import Segment, Segmenter

#: The name of all conditions together.
ALL = "all"

#: Hits that are looked at.
MOST_HITS = 5

Vector = npt.NDArray[np.floating]


class Embedding(Protocol):
    """A voice as a vector; two of the same person have a high cosine."""

    def __call__(self, audio: Mono, samplerate: int) -> Vector: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What is measured; ``embed`` and ``index`` are None where there is nothing to measure them by."""

    segmenter: Callable[[], Segmenter]
    recognizer: Recognizer | None
    index: NotesIndex | None
    embed: Embedding | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was made of a recording; None where the manifest does not say what would be right.

    Attributes
    ----------
    item : Item
        The recording.
    length_s, work_s : float
        Its length, and how long segmenter and recogniser took for it.
    text : str
        What was understood.
    confidence : float or None
        Mean over its segments, None where the recogniser gives none.
    words : WordErrors or None
        Against the transcript.
    frames : FrameCounts or None
        Against the marked speech.
    rank : int or None
        Of the first right note, from 1; 0 if it is not among the first five. Where no note is right, 1 if none was
        found.
    voice : ndarray or None
        Of its speech, if its speaker is known.
    """

    item: Item
    length_s: float
    work_s: float
    text: str
    confidence: float | None
    words: WordErrors | None
    frames: FrameCounts | None
    rank: int | None
    voice: Vector | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its 95 % interval, and the number of trials behind it."""

    value: float
    low: float
    high: float
    trials: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one condition; what could not be measured is missing."""

    condition: str
    recordings: int
    length_s: float
    work_s: float
    figures: Mapping[str, Figure]
    curve: ErrorCurve | None


def hear(item: Item, audio: Mono, samplerate: int, parts: Parts) -> Heard:
    """Let the parts hear one recording."""
    segmenter, length_s = parts.segmenter(), len(audio) / samplerate
    start_s = time.perf_counter()
    events = [*segmenter.feed(audio), *segmenter.flush()]
    segments = [event for event in events if isinstance(event, Segment)]
    texts, confidences = [], []
    if parts.recognizer is not None:
        for segment in segments:
            transcript = parts.recognizer.transcribe(segment.audio, CancelToken())
            texts.append(transcript.text)
            if transcript.confidence is not None and transcript.text:
                confidences.append(transcript.confidence)
    work_s = time.perf_counter() - start_s
    text = " ".join(filter(None, texts))
    silent = item.speech == ()
    said = "" if silent else item.transcript
    return Heard(
        item,
        length_s,
        work_s,
        text,
        sum(confidences) / len(confidences) if confidences else None,
        word_errors(said, text) if said is not None and parts.recognizer is not None else None,
        None if item.speech is None else count_frames(item.speech, spans_of(events), length_s),
        _rank(item, text, parts.index),
        _voice(item, segments, samplerate, parts.embed),
    )


def summarise(heard: Sequence[Heard]) -> list[Summary]:
    """The figures of all recordings, and then of each condition, in the order of the manifest."""
    conditions = list(dict.fromkeys(one.item.condition for one in heard if one.item.condition))
    groups = [(ALL, heard)]
    if len(conditions) > 1:
        groups += [(name, [one for one in heard if one.item.condition == name]) for name in conditions]
    enrolled = [one for one in heard if one.item.enrol]
    return [_summary(name, group, enrolled) for name, group in groups]


def _summary(name: str, group: Sequence[Heard], enrolled: Sequence[Heard]) -> Summary:
    figures = {key: figure for key, figure in _figures(group) if figure.trials}
    same, different = _trials([one for one in group if not one.item.enrol], enrolled)
    curve = error_curve(same, different) if same and different else None
    if curve is not None:
        low, high = equal_error_interval(same, different)
        figures["equal_error_rate"] = Figure(curve.equal_error_rate, low, high, len(same) + len(different))
    length_s, work_s = sum(one.length_s for one in group), sum(one.work_s for one in group)
    return Summary(name, len(group), length_s, work_s, figures, curve)


def _figures(group: Sequence[Heard]) -> Iterator[tuple[str, Figure]]:
    words = [one.words for one in group if one.words is not None]
    yield "word_error_rate", _ratio([(part.wrong, part.said) for part in words if part.said])
    nothing_said = [part for part in words if not part.said]
    yield "false_text", _share(sum(part.added > 0 for part in nothing_said), len(nothing_said))
    frames = [one.frames for one in group if one.frames is not None]
    yield "vad_accuracy", _ratio([(part.right, part.total) for part in frames])
    yield "vad_false_alarm", _ratio([(part.false, part.silence) for part in frames])
    asked = [one.rank for one in group if one.rank is not None and one.item.notes]
    yield "hit_at_1", _share(sum(rank == 1 for rank in asked), len(asked))
    yield "hit_at_5", _share(sum(rank > 0 for rank in asked), len(asked))
    unanswerable = [one.rank for one in group if one.rank is not None and not one.item.notes]
    yield "false_note", _share(sum(rank == 0 for rank in unanswerable), len(unanswerable))


def _ratio(parts: Sequence[tuple[int, int]]) -> Figure:
    """Counts over trials of recordings, whose trials belong together."""
    count, trials = sum(part[0] for part in parts), sum(part[1] for part in parts)
    low, high = bootstrap(parts)
    return Figure(count / trials if trials else 0.0, low, high, trials)


def _share(count: int, trials: int) -> Figure:
    low, high = wilson(count, trials)
    return Figure(count / trials if trials else 0.0, low, high, trials)


def _rank(item: Item, text: str, index: NotesIndex | None) -> int | None:
    if index is None or item.notes is None:
        return None
    if not item.notes:
        return int(not index.search(text, 1))
    hits = index.rank(text, MOST_HITS)
    titles = {title.casefold() for title in item.notes}
    ranks = (number for number, hit in enumerate(hits, 1) if titles & names_of(hit.note.title, hit.note.questions))
    return next(ranks, 0)


def names_of(title: str, questions: Sequence[str]) -> set[str]:
    """What a note may be called in a manifest: its title, or one of its questions."""
    return {name.casefold() for name in (title, *questions)}


def _voice(item: Item, segments: Sequence[Segment], samplerate: int, embed: Embedding | None) -> Vector | None:
    if embed is None or not item.speaker or not segments:
        return None
    vector = embed(np.concatenate([segment.audio for segment in segments]), samplerate)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _trials(tested: Sequence[Heard], enrolled: Sequence[Heard]) -> tuple[list[float], list[float]]:
    """Scores of one voice and of two: each recording against each enrolled speaker, or all pairs if none is."""
    scores: tuple[list[float], list[float]] = ([], [])
    voices = [(one.item.speaker, one.voice) for one in tested if one.voice is not None]
    known = [(one.item.speaker, one.voice) for one in enrolled if one.voice is not None]
    if known:
        speakers = {name: np.sum([voice for who, voice in known if who == name], axis=0) for name, _ in known}
        pairs = [(who, name, voice, profile) for who, voice in voices for name, profile in speakers.items()]
    else:
        pairs = [(who, other, voice, theirs) for (who, voice), (other, theirs) in combinations(voices, 2)]
    for who, other, voice, profile in pairs:
        scores[who != other].append(float(voice @ profile / max(float(np.linalg.norm(profile)), 1e-12)))
    return scores
