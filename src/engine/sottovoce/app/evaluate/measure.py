"""From recordings to figures: what was heard of each, and how good that is, by condition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sottovoce.app.evaluate.manifest import Item
from sottovoce.app.evaluate.voices import Compared, Spoken, called, compare, embed_voice
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.embedding.base import Embedder
from sottovoce.speech.evaluation.frames import FrameCounts, count_frames, spans_of
from sottovoce.speech.evaluation.intervals import bootstrap, wilson
from sottovoce.speech.evaluation.trials import Trial, equal_error_interval, share_interval
from sottovoce.speech.evaluation.words import WordErrors, word_errors
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.segmenter import Segment, Segmenter

#: The name of all conditions together.
ALL = "all"

#: Hits that are looked at.
MOST_HITS = 5


@dataclass(frozen=True, slots=True)
class Voices:
    """How voices are compared, and how sure a verdict has to be."""

    embedder: Embedder
    certainty: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What is measured; what there is nothing to measure by is None."""

    segmenter: Callable[[], Segmenter]
    recognizer: Recognizer | None
    index: NotesIndex | None
    voices: Voices | None


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
    voice : Spoken or None
        If its speaker is known.
    """

    item: Item
    length_s: float
    work_s: float
    text: str
    confidence: float | None
    words: WordErrors | None
    frames: FrameCounts | None
    rank: int | None
    voice: Spoken | None


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
    voices: Compared | None


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
        _voice(item, segments, parts.voices),
    )


def summarise(heard: Sequence[Heard], voices: Voices | None) -> list[Summary]:
    """The figures of all recordings, and then of each condition, in the order of the manifest."""
    conditions = list(dict.fromkeys(one.item.condition for one in heard if one.item.condition))
    groups = [(ALL, heard)]
    if len(conditions) > 1:
        groups += [(name, [one for one in heard if one.item.condition == name]) for name in conditions]
    enrolled = [one.voice for one in heard if one.voice is not None and one.voice.enrol]
    return [_summary(name, group, enrolled, voices) for name, group in groups]


def _summary(name: str, group: Sequence[Heard], enrolled: Sequence[Spoken], voices: Voices | None) -> Summary:
    figures = {key: figure for key, figure in _figures(group) if figure.trials}
    compared = None
    if voices is not None:
        compared = compare([one.voice for one in group if one.voice is not None], enrolled, voices.embedder)
        figures |= dict(_figures_of(compared, voices.certainty)) if compared is not None else {}
    length_s, work_s = sum(one.length_s for one in group), sum(one.work_s for one in group)
    return Summary(name, len(group), length_s, work_s, figures, compared)


def _figures_of(compared: Compared, certainty: float) -> Iterator[tuple[str, Figure]]:
    trials = compared.trials
    low, high = equal_error_interval(trials)
    yield "equal_error_rate", Figure(compared.curve.equal_error_rate, low, high, len(trials))
    yield "own_called_other", _called(trials, True, "other", certainty)
    yield "other_called_own", _called(trials, False, "own", certainty)


def _called(trials: Sequence[Trial], own: bool, verdict: str, certainty: float) -> Figure:
    """How many of one kind of trials get a verdict."""
    chosen = [trial for trial in trials if trial.own is own]
    count = sum(called(trial, certainty) == verdict for trial in chosen)
    low, high = share_interval(
        trials, lambda trial: called(trial, certainty) == verdict, lambda trial: trial.own is own
    )
    return Figure(count / len(chosen), low, high, len(chosen))


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


def _voice(item: Item, segments: Sequence[Segment], voices: Voices | None) -> Spoken | None:
    if voices is None or not item.speaker or not segments:
        return None
    speech = np.concatenate([segment.audio for segment in segments])
    return embed_voice(item.speaker, item.name, item.enrol, speech, voices.embedder)
