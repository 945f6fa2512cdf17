"""What a session tells its observers: the screen, the store, the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sottovoce.assistant.messages import EarKind, Outcome, Thesis, Utterance
from sottovoce.assistant.trace import Made, Step
from sottovoce.core.errors import BackendError
from sottovoce.metrics.stages import Stage, TurnTimes
from sottovoce.speech.usage import Usage


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Somebody has begun to speak, ``at_s`` seconds into the input; each ear tells of its own."""

    at_s: float
    ear: EarKind = "microphone"


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Whoever spoke has stopped, ``at_s`` seconds into the input; what was said may prove too short to count."""

    at_s: float
    ear: EarKind = "microphone"


@dataclass(frozen=True, slots=True)
class InputProgress:
    """So many seconds of input have been heard."""

    heard_s: float


@dataclass(frozen=True, slots=True)
class SegmentDropped:
    """A segment was not transcribed."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeardSoFar:
    """What somebody has said so far, ``at_s`` seconds into the input; the whole of it, to be shown as provisional."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class UtteranceHeard:
    """An utterance; ``ignored`` is why it raises no turn, or empty, and then ``generation`` is that of its turn."""

    utterance: Utterance
    generation: int
    ignored: str


@dataclass(frozen=True, slots=True)
class Speculated:
    """An utterance that may not be over yet is being answered, to be shown as provisional; nothing of it is heard.

    ``early`` if it was still being said, and its speaker had not even paused.
    """

    utterance: Utterance
    generation: int
    early: bool = False


@dataclass(frozen=True, slots=True)
class ThesisForeseen:
    """A thesis of a speculative turn; if the turn is taken, ThesisAdded follows."""

    thesis: Thesis


@dataclass(frozen=True, slots=True)
class SpeculationEnded:
    """The utterance was over, and the turn is ``taken``; or it went on, and what was made of it is thrown away."""

    generation: int
    taken: bool


@dataclass(frozen=True, slots=True)
class ThesisAdded:
    """A thesis is there to be read, and about to be synthesised."""

    thesis: Thesis


@dataclass(frozen=True, slots=True)
class ThesisStarted:
    """The first sample of a thesis was played at ``at_ns`` on the session's clock."""

    thesis: Thesis
    at_ns: int


@dataclass(frozen=True, slots=True)
class ThesisSpoken:
    """A thesis has been played to its end; ``start_s`` and ``end_s`` count seconds of speech in its turn."""

    thesis: Thesis
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class ThesisCut:
    """A thesis was interrupted after ``heard_s`` seconds of its speech."""

    thesis: Thesis
    heard_s: float


@dataclass(frozen=True, slots=True)
class ThesisFailed:
    """A thesis could not be spoken and was skipped."""

    thesis: Thesis
    reason: str


@dataclass(frozen=True, slots=True)
class VoiceChanged:
    """The wearer has paused the voice or let it go on, or made it louder or quieter (dB over what was set first)."""

    paused: bool
    gain_db: float


@dataclass(frozen=True, slots=True)
class EarMuted:
    """The wearer has muted the microphone, or lets it listen again."""

    muted: bool


@dataclass(frozen=True, slots=True)
class StageReached:
    """A stage of a turn, at ``at_ns`` on the session's clock."""

    generation: int
    stage: Stage
    at_ns: int


@dataclass(frozen=True, slots=True)
class Began:
    """The session begins, with what its turn state machine was made with."""

    made: Made


@dataclass(frozen=True, slots=True)
class Decided:
    """The turn state machine was told something; what it was and what followed, without words."""

    step: Step


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over; ``times`` are the moments of all that it went through."""

    generation: int
    outcome: Outcome
    detail: str
    times: TurnTimes


@dataclass(frozen=True, slots=True)
class BackendFailed:
    """A backend failed; the session goes on. ``kind`` is that of :class:`BackendError`."""

    backend: str
    message: str
    hint: str
    retryable: bool
    part: str = ""
    kind: str = ""

    @classmethod
    def of(cls, error: BackendError, part: str) -> BackendFailed:
        """The notice of an error in a part: "asr", "llm", "tts" or "embedding"."""
        return cls(error.backend, error.message, error.hint, error.retryable, part, error.kind)


@dataclass(frozen=True, slots=True)
class BackendChanged:
    """From now on another backend answers, since the one before it failed, or is well again.

    ``part`` is "asr", "llm" or "tts".
    """

    part: str
    backend: str


@dataclass(frozen=True, slots=True)
class Spent:
    """A call of a service has ended; what it cost is in billionths of a dollar, None if nobody knows.

    ``generation`` is that of the turn it was made for, None if for what was heard.
    """

    usage: Usage
    nano_usd: int | None
    estimated: bool
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class BudgetReached:
    """So much has been spent in this session, or on this day, as was to be warned of, or to be spent at all.

    ``limit`` says it in words; ``stops`` is whether services are called no more.
    """

    scope: Literal["session", "day"]
    limit: str
    stops: bool


@dataclass(frozen=True, slots=True)
class PriceUnknown:
    """A model is called whose price nobody knows, and a budget was set, which cannot count it."""

    provider: str
    model: str


Notice: TypeAlias = (
    SpeechBegan
    | SpeechEnded
    | InputProgress
    | SegmentDropped
    | HeardSoFar
    | UtteranceHeard
    | Speculated
    | ThesisForeseen
    | SpeculationEnded
    | ThesisAdded
    | ThesisStarted
    | ThesisSpoken
    | ThesisCut
    | ThesisFailed
    | VoiceChanged
    | EarMuted
    | Began
    | Decided
    | StageReached
    | TurnEnded
    | BackendFailed
    | BackendChanged
    | Spent
    | BudgetReached
    | PriceUnknown
)
