"""Voices of a manifest compared with one another, as a session compares them with the wearer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sottovoce.core.types import Mono
from sottovoce.speech.embedding.base import Embedder, Embedding, probability
from sottovoce.speech.evaluation.trials import Advice, ErrorCurve, Trial, advise, curve_of
from sottovoce.speech.wearer.enrolment import cut_clips
from sottovoce.speech.wearer.verifier import EnrolledVoice


@dataclass(frozen=True, slots=True)
class Spoken:
    """The voice in a recording.

    Attributes
    ----------
    speaker, recording : str
        Who speaks, and where.
    enrol : bool
        Whether it is for getting to know the voice.
    embeddings : tuple of Embedding
        Of the whole of it, or of its clips if it is enrolled; empty where there is too little speech.
    """

    speaker: str
    recording: str
    enrol: bool
    embeddings: tuple[Embedding, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing voices has given: its trials, scored in log-odds, their curve, and which certainty to set."""

    trials: tuple[Trial, ...]
    curve: ErrorCurve
    advice: Advice | None


def embed_voice(speaker: str, recording: str, enrol: bool, speech: Mono, embedder: Embedder) -> Spoken:
    """What a voice sounds like in the speech of a recording."""
    clips = cut_clips(speech) if enrol else [speech]
    found = tuple(embedding for clip in clips if (embedding := embedder.embed(clip)) is not None)
    return Spoken(speaker, recording, enrol, found)


def compare(heard: Sequence[Spoken], enrolled: Sequence[Spoken], embedder: Embedder) -> Compared | None:
    """Each recording against each enrolled speaker, or all pairs if none is; None without trials of both kinds."""
    tested = [voice for voice in heard if voice.embeddings and not voice.enrol]
    trials = _with_enrolled(tested, enrolled, embedder) if enrolled else _pairs(tested, embedder)
    if len({trial.own for trial in trials}) < 2:
        return None
    return Compared(tuple(trials), curve_of(trials), advise(trials))


def called(trial: Trial, certainty: float) -> str:
    """What a session calls it."""
    chance = probability(trial.score)
    return "own" if chance >= certainty else "other" if chance <= 1.0 - certainty else "unsure"


def _with_enrolled(tested: Sequence[Spoken], enrolled: Sequence[Spoken], embedder: Embedder) -> list[Trial]:
    trials = []
    for speaker in dict.fromkeys(voice.speaker for voice in enrolled):
        vectors = [each.vector for voice in enrolled if voice.speaker == speaker for each in voice.embeddings]
        if vectors:
            known = EnrolledVoice(np.array(vectors), embedder)
            trials += [
                Trial(known.log_odds(voice.embeddings[0]), speaker, voice.speaker, voice.recording) for voice in tested
            ]
    return trials


def _pairs(tested: Sequence[Spoken], embedder: Embedder) -> list[Trial]:
    trials = []
    for first, second in combinations(tested, 2):
        known = EnrolledVoice(np.array([first.embeddings[0].vector]), embedder)
        trials.append(Trial(known.log_odds(second.embeddings[0]), first.speaker, second.speaker, second.recording))
    return trials
