"""Is it the wearer? Own, other or unsure, by the probability of it; and who said what in a segment of both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sottovoce.core.errors import ProfileError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding.base import Embedder, Embedding, Vector, Vectors, probability, unit
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.speaker import SpeakerKind, SpeakerPart, SpeakerVerdict
from sottovoce.speech.wearer.changes import LEAST_PART_S, find_changes
from sottovoce.speech.wearer.profile import VoiceProfile

#: Segments that are surely the wearer's teach the profile; surely: by this probability, of so much speech (s).
_TEACHES, _TEACHES_S = 0.98, 2.0
#: So many are remembered, and together weigh no more than what was enrolled, so that no mistake can carry it away.
_REMEMBERED, _MOST_SHARE = 40, 0.5
#: Segments after which the share is half of the most.
_HALF_AFTER = 6


@dataclass(frozen=True, slots=True)
class VerifierSettings:
    """How a voice is judged.

    Attributes
    ----------
    certainty : float
        Probability, above 0.5, from which a verdict is given; less, either way, is "unsure".
    adapt : bool
        Whether segments that are surely the wearer's are learned from, until the verifier is let go.
    split : bool
        Whether segments of several voices are taken apart.
    """

    certainty: float = 0.9
    adapt: bool = True
    split: bool = True


class EnrolledVoice:
    """A voice in the space of one model, as enrolled and as heard since.

    Parameters
    ----------
    vectors : Vectors
        Of the clips it was enrolled with.
    embedder : Embedder
        Whose vectors they are.
    """

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self._enrolled = unit(vectors.mean(axis=0))
        self._scoring = embedder.scoring
        self._heard: list[Vector] = []
        self._voice = self._enrolled

    def log_odds(self, embedding: Embedding) -> float:
        """Log-odds that it is this voice."""
        return self._scoring.log_odds(self._scoring.score(self._voice, embedding.vector), embedding.speech_s)

    def learn(self, embedding: Embedding) -> None:
        """Take for certain that it is this voice."""
        self._heard = [*self._heard, embedding.vector][-_REMEMBERED:]
        count = len(self._heard)
        share = _MOST_SHARE * count / (count + _HALF_AFTER)
        heard = unit(np.mean(self._heard, axis=0))
        self._voice = unit((1.0 - share) * self._enrolled + share * heard)


class WearerVerifier:
    """Tells the wearer's voice from others'. Used by one thread at a time.

    Parameters
    ----------
    profile : VoiceProfile
        The wearer's.
    embedder : Embedder
        Judges whole segments. The embedded one finds changes of the speaker, whichever this is.
    settings : VerifierSettings, optional

    Raises
    ------
    ProfileError
        The profile was made with other models.
    """

    def __init__(self, profile: VoiceProfile, embedder: Embedder, settings: VerifierSettings | None = None) -> None:
        self._settings = settings or VerifierSettings()
        self._embedder = embedder
        self._voice = EnrolledVoice(_vectors_of(profile, embedder), embedder)
        self._finder = embedder if isinstance(embedder, BuiltinEmbedder) else BuiltinEmbedder()
        self._found = (
            self._voice if self._finder is embedder else EnrolledVoice(_vectors_of(profile, self._finder), self._finder)
        )

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        """Judge one segment (shape (frames,), float32, [-1, 1]) at ``samplerate`` (Hz), that of the embedder."""
        if samplerate != self._embedder.samplerate:
            raise ValueError(f"samplerate is {samplerate} Hz; {self._embedder.name} hears {self._embedder.samplerate}")
        if not np.isfinite(audio).all():
            audio = np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0)
        parts = self._parts(audio) if self._settings.split and len(audio) >= 2.0 * LEAST_PART_S * samplerate else ()
        if parts:
            others = [part.score for part in parts if part.kind == "other" and part.score is not None]
            return SpeakerVerdict("other", min(others), parts)
        embedding = self._embedder.embed(audio)
        if embedding is None:
            return SpeakerVerdict("unsure", None)
        score = probability(self._voice.log_odds(embedding))
        kind = self._kind(score)
        if self._settings.adapt and kind == "own" and score >= _TEACHES and embedding.speech_s >= _TEACHES_S:
            self._learn(audio, embedding)
        return SpeakerVerdict(kind, score)

    def close(self) -> None:
        """Let the embedder go; idempotent."""
        self._embedder.close()

    def _kind(self, score: float) -> SpeakerKind:
        if score >= self._settings.certainty:
            return "own"
        return "other" if score <= 1.0 - self._settings.certainty else "unsure"

    def _learn(self, audio: Mono, embedding: Embedding) -> None:
        self._voice.learn(embedding)
        if self._found is not self._voice:
            found = self._finder.embed(audio)
            if found is not None:
                self._found.learn(found)

    def _parts(self, audio: Mono) -> tuple[SpeakerPart, ...]:
        """The parts of a segment of which at least one is surely the wearer's and one surely is not; else none."""
        cuts = find_changes(audio, self._finder, self._found.log_odds)
        parts = []
        for start, end in pairwise([0, *cuts, len(audio)]):
            embedding = self._embedder.embed(audio[start:end]) if cuts else None
            score = None if embedding is None else probability(self._voice.log_odds(embedding))
            parts.append(SpeakerPart(start, end, "unsure" if score is None else self._kind(score), score))
        kinds = {part.kind for part in parts}
        return tuple(parts) if {"own", "other"} <= kinds else ()


def _vectors_of(profile: VoiceProfile, embedder: Embedder) -> Vectors:
    vectors = profile.voices.get(embedder.model)
    if vectors is None:
        raise ProfileError(
            f"the voice profile {profile.name!r} was made with other models ({', '.join(profile.voices)}) than "
            f"{embedder.model}",
            path=profile.name,
            hint=f"enrol again: sottovoce enroll --name {profile.name} --replace",
        )
    return vectors
