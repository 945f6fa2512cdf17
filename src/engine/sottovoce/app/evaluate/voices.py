"""Voices of a manifest compared with one another, as a session compares them with the wearer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sottovoce.core.types import Mono
from sottovoce.speech.embedding.base import Embedder, Embedding, Vectors, probability
from sottovoce.speech.evaluation.trials import Advice, ErrorCurve, Trial, advise, curve_of
from sottovoce.speech.wearer.enrolment import clip_vectors, cut_clips
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
    heard : Embedding or None
        Of the whole of it; None where there is too little speech.
    vectors : Vectors
        As a profile holds them, if it is for getting to know the voice.
    """

    speaker: str
    recording: str
    enrol: bool
    heard: Embedding | None
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing voices has given: its trials, scored in log-odds, their curve, and which certainty to set."""

    trials: tuple[Trial, ...]
    curve: ErrorCurve
    advice: Advice | None


def embed_voice(speaker: str, recording: str, enrol: bool, speech: Mono, embedder: Embedder) -> Spoken:
    """What a voice sounds like in the speech of a recording."""
    vectors = clip_vectors(cut_clips(speech), embedder) if enrol else np.zeros((0, 0), np.float32)
    return Spoken(speaker, recording, enrol, embedder.embed(speech), vectors)


def compare(heard: Sequence[Spoken], enrolled: Sequence[Spoken], embedder: Embedder) -> Compared | None:
    """Each recording against each enrolled speaker, or all pairs if none is; None without trials of both kinds."""
    tested = [(voice, voice.heard) for voice in heard if voice.heard is not None and not voice.enrol]
    trials = _with_enrolled(tested, enrolled, embedder) if enrolled else _pairs(tested, embedder)
    if len({trial.own for trial in trials}) < 2:
        return None
    return Compared(tuple(trials), curve_of(trials), advise(trials))


def called(trial: Trial, certainty: float) -> str:
    """What a session calls it."""
    chance = probability(trial.score)
    return "own" if chance >= certainty else "other" if chance <= 1.0 - certainty else "unsure"


def _with_enrolled(
    tested: Sequence[tuple[Spoken, Embedding]], enrolled: Sequence[Spoken], embedder: Embedder
) -> list[Trial]:
    trials = []
    for speaker in dict.fromkeys(voice.speaker for voice in enrolled):
        vectors = [voice.vectors for voice in enrolled if voice.speaker == speaker and len(voice.vectors)]
        if vectors:
            known = EnrolledVoice(np.concatenate(vectors), embedder)
            trials += [Trial(known.log_odds(found), speaker, voice.speaker, voice.recording) for voice, found in tested]
    return trials


def _pairs(tested: Sequence[tuple[Spoken, Embedding]], embedder: Embedder) -> list[Trial]:
    trials = []
    for (first, known), (second, found) in combinations(tested, 2):
        log_odds = EnrolledVoice(known.vector[None], embedder).log_odds(found)
        trials.append(Trial(log_odds, first.speaker, second.speaker, second.recording))
    return trials
