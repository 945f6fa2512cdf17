"""What a session consists of: events as they are appended, and records as they are read back.

All moments are nanoseconds on one monotonic clock, the store's; records give them in seconds since the session began.
Positions in what was heard (``start_s``, ``end_s`` of an utterance) are seconds in that stream, so that a file
answered faster than it lasts still has its own timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from sottovoce.session.spending import Cost, Spending


class TranscriptPolicy(StrEnum):
    """What of the words said and answered is stored."""

    KEEP = "keep"
    REDACT = "redact"  #: only the length of each text
    OFF = "off"  #: not even that


class SpeakerKind(StrEnum):
    """Who spoke."""

    OWN = "own"
    OTHER = "other"
    UNSURE = "unsure"


class ThesisStatus(StrEnum):
    """What has become of a thesis."""

    MADE = "made"
    PLAYING = "playing"
    HEARD = "heard"
    INTERRUPTED = "interrupted"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class UtteranceHeard:
    """A segment and its transcript.

    Attributes
    ----------
    utterance : int
        Its number in the session.
    start_s, end_s : float
        Where it lies in what was heard, in seconds.
    speaker : SpeakerKind
        Who spoke.
    text : str
        The transcript.
    confidence : float or None
        0 to 1, None if the recogniser gives none.
    language : str
        ISO 639-1 code, or empty.
    backend : str
        The recogniser that answered.
    aside : bool
        Whether the wearer said it in a segment whose rest is somebody else's: two utterances have its number then.
    ear : str
        What heard it: "microphone", or "loopback" for what the machine played.
    """

    utterance: int
    start_s: float
    end_s: float
    speaker: SpeakerKind
    text: str
    confidence: float | None = None
    language: str = ""
    backend: str = ""
    aside: bool = False
    ear: str = "microphone"


@dataclass(frozen=True, slots=True)
class QuestionAccepted:
    """An utterance became the question of a turn."""

    turn: int
    utterance: int


@dataclass(frozen=True, slots=True)
class QuestionIgnored:
    """An utterance was not answered; ``reason`` is a fixed word or two, never what was said."""

    utterance: int
    reason: str


@dataclass(frozen=True, slots=True)
class ThesisChanged:
    """A thesis as it is now; a later event with the same turn and number replaces an earlier one.

    Attributes
    ----------
    turn, number : int
        The turn, and the place of the thesis in it.
    text, source : str
        What is spoken, and the note or model it comes from.
    status : ThesisStatus
        What has become of it.
    start_s : float or None
        When it began to sound, in seconds since the session began.
    spoken_s, heard_s : float
        Length of its speech, and how much of that reached the ear, in seconds.
    """

    turn: int
    number: int
    text: str
    source: str
    status: ThesisStatus
    start_s: float | None = None
    spoken_s: float = 0.0
    heard_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage of a turn, in nanoseconds: on the store's clock when appended, since the session began when read."""

    name: str
    start_ns: int
    end_ns: int

    @property
    def ms(self) -> float:
        """Length in milliseconds."""
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over, with the times of its stages, and the generator that answered."""

    turn: int
    outcome: str
    stages: tuple[StageTime, ...] = ()
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Speculated:
    """An answer was begun before its question was over; not ``taken``, its call was in vain.

    ``utterance`` is the question, which may have been a different one in the end; ``early`` whether it was begun while
    that was being asked, else in a pause.
    """

    utterance: int
    early: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class BackendFailed:
    """A backend failed; ``message`` is its error, never a prompt or a key."""

    backend: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class BackendChanged:
    """From now on ``backend`` answers for ``part`` ("asr", "llm" or "tts"), and no longer the one before it."""

    part: str
    backend: str


@dataclass(frozen=True, slots=True)
class BudgetReached:
    """A limit was reached: of the "session" or the "day", as it is shown, and whether it ended all spending."""

    scope: str
    limit: str
    stops: bool


@dataclass(frozen=True, slots=True)
class MachineMade:
    """What the turn state machine was made with, for a replay."""

    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MachineStep:
    """What the turn state machine was told and what it decided, without words, for a replay."""

    event: Mapping[str, object]
    decided: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """Something happened to an audio device."""

    device: str
    message: str


@dataclass(frozen=True, slots=True)
class Durations:
    """Percentiles of a duration, in microseconds; 0 where there are none."""

    count: int = 0
    p50_us: float = 0.0
    p95_us: float = 0.0
    p99_us: float = 0.0
    max_us: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How a stream of the audio engine has done.

    Attributes
    ----------
    direction, device, state : str
        "output" or "input", what it was last open on, and how it was then.
    bluetooth : bool
        Whether the name of the device says that it is Bluetooth.
    way, priority : str
        How the sound system was entered, and how the thread of the callback is scheduled.
    samplerate, channels, blocksize : int
        Hz, and frames of a block.
    latency_ms, asked_latency_ms : float
        What the sound system says, and what it was asked for.
    latency_grown : int
        How often more was asked for, since blocks came too late.
    recreates, longest_recreate_ms, recreate_reason
        How often it was opened again, how long that took at most, and why it was the last time.
    counters : mapping of str to int
        What all its callbacks have counted: underruns, late blocks, and so on.
    callback, interval, resampling : Durations
        Of the last stream that had any.
    """

    direction: str
    device: str
    state: str
    bluetooth: bool = False
    way: str = ""
    priority: str = ""
    samplerate: int = 0
    channels: int = 0
    blocksize: int = 0
    latency_ms: float = 0.0
    asked_latency_ms: float = 0.0
    latency_grown: int = 0
    recreates: int = 0
    longest_recreate_ms: float = 0.0
    recreate_reason: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)
    callback: Durations = field(default_factory=Durations)
    interval: Durations = field(default_factory=Durations)
    resampling: Durations = field(default_factory=Durations)


@dataclass(frozen=True, slots=True)
class EngineMeasured:
    """How the streams have done so far; a later one takes the place of an earlier one."""

    streams: tuple[StreamHealth, ...]


Event: TypeAlias = (
    UtteranceHeard
    | QuestionAccepted
    | QuestionIgnored
    | ThesisChanged
    | TurnEnded
    | Speculated
    | BackendFailed
    | BackendChanged
    | BudgetReached
    | MachineMade
    | MachineStep
    | DeviceChanged
    | EngineMeasured
)


@dataclass(frozen=True, slots=True)
class Words:
    """A text under the transcript policy it was stored with.

    Attributes
    ----------
    text : str or None
        The text, None if it was not kept.
    length : int or None
        Its length in characters, None if not even that was kept.
    """

    text: str | None
    length: int | None

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        return "[not kept]" if self.length is None else f"[{self.length} characters]"


@dataclass(frozen=True, slots=True)
class UtteranceRecord:
    """An utterance; ``ignored`` is the reason why it was not answered, empty if it was or if nobody decided.

    ``aside``: the wearer's words in a segment of somebody else's, whose utterance has the same number.
    """

    number: int
    start_s: float
    end_s: float
    speaker: SpeakerKind
    words: Words
    confidence: float | None
    language: str
    backend: str
    ignored: str = ""
    aside: bool = False
    ear: str = "microphone"


@dataclass(frozen=True, slots=True)
class ThesisRecord:
    """A thesis in its last state; fields as in :class:`ThesisChanged`."""

    number: int
    words: Words
    source: Words
    status: ThesisStatus
    start_s: float | None
    spoken_s: float
    heard_s: float


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A question and its answer.

    ``outcome`` is None for a turn that did not end, ``cost`` that of the calls for it, ``backend`` the generator that
    answered, empty if that was not noted.
    """

    number: int
    utterance: int | None
    at_s: float
    question: Words
    theses: tuple[ThesisRecord, ...]
    stages: tuple[StageTime, ...]
    outcome: str | None
    cost: Cost = field(default_factory=Cost)
    backend: str = ""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What is neither said nor answered: a failed backend, a device."""

    at_s: float
    kind: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of the turn state machine; the first of a session has what it was made with, and decides nothing."""

    at_s: float
    event: Mapping[str, object]
    decided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session in a list.

    Attributes
    ----------
    id : int
        Never used again, even after the session is deleted.
    kind : str
        ``live``, ``answer`` or ``demo``.
    started, ended : datetime
        Time of day, UTC; ``ended`` is None for a session still running or killed.
    outcome : str or None
        How it ended, None as above.
    notes : str
        The notes it answered from.
    utterances, turns, theses : int
        How many it has.
    cost : Cost
        What its calls of services cost.
    title : str
        Its first question, else what was said first; empty if that was not kept.
    """

    id: int
    kind: str
    started: datetime
    ended: datetime | None
    outcome: str | None
    notes: str
    utterances: int
    turns: int
    theses: int
    cost: Cost = field(default_factory=Cost)
    title: str = ""

    @property
    def length_s(self) -> float | None:
        """Seconds from start to end; None without an end."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A whole session."""

    summary: SessionSummary
    settings: Mapping[str, object]
    transcripts: TranscriptPolicy
    utterances: tuple[UtteranceRecord, ...]
    turns: tuple[TurnRecord, ...]
    events: tuple[EventRecord, ...] = field(default_factory=tuple)
    speculations: tuple[Speculated, ...] = field(default_factory=tuple)
    steps: tuple[StepRecord, ...] = field(default_factory=tuple)
    spending: tuple[Spending, ...] = field(default_factory=tuple)
    engine: tuple[StreamHealth, ...] = field(default_factory=tuple)
    versions: Mapping[str, str] = field(default_factory=dict)


class HitKind(StrEnum):
    """What a search has found."""

    UTTERANCE = "utterance"
    THESIS = "thesis"


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A passage that a search has found.

    Attributes
    ----------
    kind : HitKind
        Whether it was said or answered.
    turn : int or None
        The turn of a thesis; None for an utterance.
    number : int
        Of the utterance in its session, or of the thesis in its turn.
    at_s : float
        Where it lies, in seconds: of an utterance in what was heard, of a thesis since the session began.
    parts : tuple of (str, bool)
        The passage in pieces, each with whether it is what was looked for.
    """

    kind: HitKind
    turn: int | None
    number: int
    at_s: float
    parts: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        """The passage."""
        return "".join(piece for piece, _ in self.parts)


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session in which a search has found something.

    Attributes
    ----------
    summary : SessionSummary
        The session.
    hits : tuple of SearchHit
        What fits best, the best first.
    count : int
        How many texts fit, those beyond ``hits`` among them.
    """

    summary: SessionSummary
    hits: tuple[SearchHit, ...]
    count: int
