"""What crosses threads inside the assistant: frozen, and carrying the generation it belongs to.

A *generation* here is the number of a turn: every accepted question starts one, and whatever is made for it (theses,
speech, results of any thread) carries it, so that what comes too late is recognised and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sottovoce.metrics.stages import Stage
from sottovoce.speech.speaker import SpeakerKind as SpeakerKind

#: What it was heard by: the microphone, or as what the machine itself plays.
EarKind: TypeAlias = Literal["microphone", "loopback"]

#: How a turn ended.
Outcome: TypeAlias = Literal["spoken", "interrupted", "superseded", "stopped", "no answer", "failed", "closed"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A segment with its transcript.

    Attributes
    ----------
    number : int
        Number of the segment in the session, from 1, in the order of speech, whichever ear heard it; from -1 down for
        what was typed.
    speaker : SpeakerKind
        Whose voice it is.
    text : str
        The transcript, or empty if nothing was understood.
    language : str
        ISO 639-1 code.
    confidence : float or None
        Of the recogniser, 0 to 1, or None where it gives none.
    start_s, end_s : float
        Where the segment lies in the input, pre-roll and hang-over included.
    marks : tuple of (Stage, int)
        Moments (ns on the session's clock) from the true end of speech, before the hang-over, to the transcript.
    backend : str
        Name of the recogniser.
    error : str
        Why there is no transcript, or empty.
    aside : bool
        Whether the wearer said it in a segment whose rest is somebody else's: two utterances have its number then.
    ear : EarKind
        What it was heard by.
    echoed_words : int
        Words that are no part of ``text`` any more, since the loudspeaker said them.
    """

    number: int
    speaker: SpeakerKind
    text: str
    language: str
    confidence: float | None
    start_s: float
    end_s: float
    marks: tuple[tuple[Stage, int], ...]
    backend: str = ""
    error: str = ""
    aside: bool = False
    ear: EarKind = "microphone"
    echoed_words: int = 0

    @property
    def typed(self) -> bool:
        """Whether nobody has said it: the wearer has typed it."""
        return self.number < 0


@dataclass(frozen=True, slots=True)
class Thesis:
    """One point of the answer; ``number`` counts from 1 within its generation."""

    generation: int
    number: int
    text: str
    source: str = ""


# What the threads tell the turn state machine.


@dataclass(frozen=True, slots=True)
class Heard:
    """A recogniser has finished with a segment.

    ``revision`` is that of the pause which gave it; ``settled`` is False if it was not known then to be all.
    """

    utterance: Utterance
    revision: int = 0
    settled: bool = True


@dataclass(frozen=True, slots=True)
class AsideHeard:
    """What the wearer said in a segment with somebody else's words, of which :class:`Heard` has told before."""

    utterance: Utterance
    revision: int = 0
    settled: bool = True


@dataclass(frozen=True, slots=True)
class SegmentSettled:
    """What was given at a pause is all that was said; the silence was long enough at ``ready_ns``."""

    number: int
    revision: int
    ready_ns: int


@dataclass(frozen=True, slots=True)
class SpeechWentOn:
    """What was given at a pause is void: speech went on."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """What an utterance says so far, and has said for a moment; its speaker may go on."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class SpeechLost:
    """What was being said as segment ``number`` came to nothing: it was too short, noise, or dropped."""

    number: int


@dataclass(frozen=True, slots=True)
class ThesisMade:
    """The generator has finished a thesis."""

    thesis: Thesis


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """The generator has nothing more to say; ``error`` tells why if it failed."""

    generation: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class NarrationEnded:
    """Every thesis of the generation has been heard, or skipped because it could not be spoken."""

    generation: int
    heard: int


@dataclass(frozen=True, slots=True)
class Typed:
    """The wearer has typed a question, which is answered whatever is being said."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The wearer wants no more of what is in flight."""


@dataclass(frozen=True, slots=True)
class InputEnded:
    """No more segments will come."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The session ends now."""


TurnEvent: TypeAlias = (
    Heard
    | AsideHeard
    | PartialHeard
    | SpeechLost
    | SegmentSettled
    | SpeechWentOn
    | ThesisMade
    | AnswerEnded
    | NarrationEnded
    | Typed
    | StopAsked
    | InputEnded
    | Closing
)


# What the turn state machine asks of the threads.


@dataclass(frozen=True, slots=True)
class Answer:
    """Generate theses for this utterance.

    ``speculative`` as long as more may be said, and ``early`` if that is being said now.
    """

    generation: int
    utterance: Utterance
    context: tuple[str, ...]
    speculative: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Hasten:
    """What was said before this pause reads like a whole question: a short silence will do."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class VoidSegment:
    """Do not go on transcribing what that pause has given."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class Prepare:
    """Synthesise this thesis of a speculative turn, to be spoken if it is taken."""

    thesis: Thesis


@dataclass(frozen=True, slots=True)
class Take:
    """The question of a speculative turn has ended as it was: it is a turn like any other from now on."""

    generation: int
    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Discard:
    """A speculative turn was in vain; it has been abandoned."""

    generation: int


@dataclass(frozen=True, slots=True)
class Speak:
    """Synthesise and speak this thesis after those before it."""

    thesis: Thesis


@dataclass(frozen=True, slots=True)
class FinishSpeaking:
    """No more theses will come for this generation: say when the last has been heard."""

    generation: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Cancel everything made for this generation; ``audible`` if it may be sounding now."""

    generation: int
    audible: bool


@dataclass(frozen=True, slots=True)
class DropOlderSegments:
    """Segments up to ``number`` are no longer worth transcribing."""

    number: int


@dataclass(frozen=True, slots=True)
class Ignore:
    """The utterance raises no turn."""

    utterance: Utterance
    reason: str


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The turn is over."""

    generation: int
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TakeNext:
    """The state machine is done with this utterance; where utterances wait for one another, the next may come."""

    number: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The input has ended and every turn with it."""


TurnCommand: TypeAlias = (
    Answer
    | Hasten
    | VoidSegment
    | Prepare
    | Take
    | Discard
    | Speak
    | FinishSpeaking
    | Abandon
    | DropOlderSegments
    | Ignore
    | EndTurn
    | TakeNext
    | Finish
)
