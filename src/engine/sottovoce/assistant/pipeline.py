"""The threads of a session and the queues between them.

::

    input ─ ear ─► segments ─► recognisers ─► coordinator ─► thinkers (theses)
                                                  │ ▲            │
                                  (turn machine)  │ └────────────┘
                                                  ▼
                                       synthesis pool ─► narrator ─► voice output

Everything that happens is posted to the coordinator, which alone holds the turn machine, and alone tells the observer.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, assert_never, get_args

from sottovoce.assistant import messages, notices
from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.controls import (
    GAIN_STEP_DB,
    MOST_TYPED,
    Advance,
    Control,
    Mute,
)
from sottovoce.assistant.ear import SegmentSource, TimedSegment
from sottovoce.assistant.ears import SecondEar, open_ears, open_listener
from sottovoce.assistant.echo_gate import EchoGate
from sottovoce.assistant.endpoint import reads_finished
from sottovoce.assistant.follow import Follower
from sottovoce.assistant.listening import Listener
from sottovoce.assistant.messages import TurnCommand, TurnEvent
from sottovoce.assistant.narrator import Narrator
from sottovoce.assistant.notices import Notice
from sottovoce.assistant.ports import AudioInput, NoPurse, Observer, Purse, VoiceOutput
from sottovoce.assistant.synthesis import SpokenThesis, SynthesisPool
from sottovoce.assistant.thinker import Thinker
from sottovoce.assistant.token import TurnToken
from sottovoce.assistant.trace import Made, Tracer
from sottovoce.assistant.transcribers import OneAtATime, Transcribers, Turnstile
from sottovoce.assistant.turn import Speculate, TurnMachine
from sottovoce.assistant.voice import Voice
from sottovoce.assistant.warmth import Warmer
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.queues import BoundedQueue, QueueState, WhenFull
from sottovoce.core.text import without_controls
from sottovoce.core.threads import ThreadGroup
from sottovoce.metrics.stages import Stage, TurnRecorder
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.llm.base import Generator, Question
from sottovoce.speech.speaker import SpeakerVerifier
from sottovoce.speech.tts.base import Synthesizer

_LOG = get_logger("pipeline")

_TURN_EVENTS: tuple[type, ...] = get_args(TurnEvent)

_Posted: TypeAlias = TurnEvent | Notice


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline connects. All of it has been warmed, and is closed by whoever made it.

    ``mute`` is what the source obeys: one that does not, as a recording, cannot be muted.
    """

    source: AudioInput
    segmenter: SegmentSource
    verifier: SpeakerVerifier
    recognizers: Sequence[Recognizer]
    generator: Generator
    synthesizer: Synthesizer
    output: VoiceOutput
    purse: Purse = field(default_factory=NoPurse)
    mute: Mute = field(default_factory=Mute)
    second: SecondEar | None = None


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """How a pipeline behaves.

    Attributes
    ----------
    lossless : bool
        True for recordings: nothing is dropped, questions are answered one after another, and the input waits.
        False for live use: what is late is dropped, and a new question interrupts once it has an answer.
    language : str
        ISO 639-1 code in which theses are written and spoken, or "auto": that of the question.
    max_theses : int
        Most theses of one answer.
    segment_queue : int
        Segments that may wait for a recogniser.
    synthesis_threads : int
        Theses synthesised at once.
    pause_s : float
        Silence between two theses.
    advance : {"auto", "follow", "manual"}
        Whether the next thesis follows by itself, when the wearer has said the one before, or only when
        :meth:`Pipeline.control` asks for it, as it may in every case.
    gain_db : float
        Loudness of the voice output at first, as it was set by whoever made it.
    speculate : {"off", "transcript", "answer"}
        How far a question is worked on before it is known to be over; "off" where nothing may be dropped.
    context_tokens : int
        Length of what the generator is told of the dialogue before, in tokens of a language model.
    partials : bool
        Listen to what is being said while it is being said, with the recognisers that can; never where nothing may be
        dropped.
    answer_unsure : bool
        Whether a question is answered that may have been the wearer's own.
    rejoin_s : float or None
        Longest time from the end of a segment to the beginning of one that goes on with it; None for never.
    """

    lossless: bool
    language: str = "auto"
    max_theses: int = 4
    segment_queue: int = 8
    synthesis_threads: int = 3
    pause_s: float = 0.25
    advance: Advance = "auto"
    gain_db: float = 0.0
    speculate: Speculate = "answer"
    context_tokens: int = 1000
    partials: bool = True
    answer_unsure: bool = True
    rejoin_s: float | None = None


class Pipeline:
    """A session from its first sound to its last.

    Parameters
    ----------
    parts : Parts
        Ears, recognisers, generator, synthesiser and voice output.
    settings : PipelineSettings
        Policies.
    observer : Observer
        Told everything, in order, by the coordinator's thread.
    """

    def __init__(
        self, parts: Parts, settings: PipelineSettings, observer: Observer, clock: Clock | None = None
    ) -> None:
        clock = clock or MonotonicClock()
        self._parts = parts
        self._settings = settings
        self._observer = observer
        self._clock = clock
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._workers = ThreadGroup(self._crashed)
        self._coordinator = ThreadGroup(self._crashed)
        self._inbox: BoundedQueue[_Posted] = BoundedQueue(1024, WhenFull.BLOCK)
        self._tokens: dict[int, TurnToken] = {}
        self._times: dict[int, TurnRecorder] = {}
        self._prepared: dict[tuple[int, int], SpokenThesis] = {}
        context = DialogueContext(settings.context_tokens)
        self._machine = TurnMachine(
            settings.max_theses,
            context,
            settings.speculate,
            reads_finished,
            settings.answer_unsure,
            settings.rejoin_s,
        )
        self._tracer = Tracer(reads_finished)
        self._follower = Follower() if settings.advance == "follow" else None
        self._turnstile = Turnstile() if settings.lossless else None
        # a recording hears no loudspeaker of ours
        self._gate = None if settings.lossless else EchoGate(lambda at_ns: self._ear.position_s(at_ns))
        segments: BoundedQueue[TimedSegment] = BoundedQueue(
            settings.segment_queue, WhenFull.BLOCK if settings.lossless else WhenFull.DROP_OLDEST
        )
        self._segments = segments
        verifier = OneAtATime(parts.verifier)
        self._warmer = Warmer([*parts.recognizers, parts.generator, parts.synthesizer], clock)
        self._listener: Listener | None = None
        if settings.partials and not settings.lossless:  # where nothing may be dropped, nothing is begun in vain
            samplerate, purse = parts.source.samplerate, parts.purse
            self._listener = open_listener(parts.recognizers, verifier, samplerate, purse, parts.second)
        heard = (parts.source, parts.segmenter)
        self._ear = open_ears(heard, parts.second, segments, self._post, clock, self._listener)
        self._transcribers = Transcribers(
            len(parts.recognizers),
            parts.source.samplerate,
            verifier,
            segments,
            self._turnstile,
            parts.purse,
            self._post,
            clock,
        )
        # a turn given up leaves at most its last mark behind, so twice a turn never fills
        capacity = 2 * (settings.max_theses + 1)
        self._thinker = Thinker(parts.generator, parts.purse, self._post, clock)
        self._pool = SynthesisPool(parts.synthesizer, capacity, parts.purse, self._post, clock)
        self._narrator = Narrator(
            parts.output, parts.synthesizer.samplerate, settings.pause_s, capacity, self._post, clock, settings.advance
        )
        self._voice = Voice(parts.output, settings.gain_db)
        self._typed = itertools.count(1)

    @property
    def stale_events(self) -> int:
        """Results that came too late and were dropped."""
        return self._machine.stale

    @property
    def queues(self) -> dict[str, QueueState]:
        """What waits between its threads, by name."""
        return {
            "events": self._inbox.state,
            "segments": self._segments.state,
            "questions": self._thinker.waiting,
            "theses": self._pool.waiting,
            "narration": self._narrator.waiting,
        }

    def start(self) -> None:
        """Start every thread; the input is read from now on."""
        self._coordinator.start("coordinator", self._coordinate)
        self._workers.start("narrator", self._narrator.work)
        for number in range(1, self._settings.synthesis_threads + 1):
            self._workers.start(f"tts-{number}", self._pool.work)
        for number in range(1, self._thinker.THREADS + 1):
            self._workers.start(f"generator-{number}", self._thinker.work)
        for number, recognizer in enumerate(self._parts.recognizers, 1):
            self._workers.start(f"asr-{number}", partial(self._transcribers.work, recognizer))
        if self._listener is not None:
            self._workers.start("listener", self._listener.work)
        if not self._settings.lossless:
            self._workers.start("warmer", self._warmer.work)
        self._workers.start("segmenter", self._ear.run)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the input has ended and everything is answered and spoken; raises what a thread let through."""
        done = self._done.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return done

    def close(self, timeout_s: float = 1.0) -> tuple[str, ...]:
        """Stop now: silence the voice, cancel what is in flight, join the threads; idempotent.

        Returns
        -------
        tuple of str
            Names of threads that did not end within ``timeout_s`` seconds (a backend hangs); empty as a rule.
        """
        deadline = time.monotonic() + timeout_s
        self._post(messages.Closing())
        self._parts.source.close()
        self._transcribers.close()
        self._thinker.close()
        self._pool.close()
        self._narrator.close()
        self._warmer.close()
        alive = self._workers.join(deadline - time.monotonic())
        # last, so that what the narrator has to say of a thesis cut short still reaches the observer
        self._inbox.close()
        return alive + self._coordinator.join(max(0.1, deadline - time.monotonic()))

    def control(self, control: Control, on: bool | None = None) -> None:
        """Do what the wearer asks for, from any thread and at once.

        Parameters
        ----------
        control : Control
            The wish.
        on : bool, optional
            Whether to pause, or to mute; the other way round than now unless given.
        """
        match control:
            case Control.STOP:
                self._post(messages.StopAsked())
            case Control.NEXT | Control.PREVIOUS | Control.REPEAT:
                self._post(self._voice.hold(False))
                self._narrator.move(control)
            case Control.PAUSE:
                self._post(self._voice.hold(not self._voice.paused if on is None else on))
            case Control.LOUDER | Control.QUIETER:
                self._post(self._voice.step(GAIN_STEP_DB if control is Control.LOUDER else -GAIN_STEP_DB))
            case Control.MUTE:
                mute = self._parts.mute
                mute.on = not mute.on if on is None else on
                self._post(notices.EarMuted(mute.on))
            case _:
                assert_never(control)

    def ask(self, text: str, language: str) -> None:
        """Answer a question that the wearer has typed, as if it had been asked now; from any thread.

        Parameters
        ----------
        text : str
            The question, at most :data:`~sottovoce.assistant.controls.MOST_TYPED` characters, not all blank.
        language : str
            ISO 639-1 code.

        Raises
        ------
        ValueError
            If there is nothing in it, or too much.
        """
        text = " ".join(without_controls(text).split())
        if not 0 < len(text) <= MOST_TYPED:
            raise ValueError(f"the question has {len(text)} characters; allowed: 1 to {MOST_TYPED}")
        at_s, now_ns = self._ear.heard_s, self._clock.now_ns()
        marks = ((Stage.SPEECH_END, now_ns),)
        number = -next(self._typed)
        utterance = messages.Utterance(number, "own", text, language, None, at_s, at_s, marks, "typed")
        self._post(messages.Typed(utterance))

    def tell(self, notice: Notice) -> None:
        """Tell the observer what has happened outside, in order with all else; from any thread."""
        self._post(notice)

    def _post(self, item: _Posted) -> None:
        self._inbox.put(item)

    def _crashed(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._done.set()

    def _coordinate(self) -> None:
        settings = self._settings
        made = Made(settings.max_theses, settings.speculate, settings.answer_unsure, settings.rejoin_s)
        self._observer(notices.Began(made))
        while (item := self._inbox.get()) is not None:
            for passed in (item,) if self._gate is None else self._gate.passed(item, self._clock.now_ns()):
                if isinstance(passed, _TURN_EVENTS):
                    self._decide(passed)  # type: ignore[arg-type]
                else:
                    self._note(passed)  # type: ignore[arg-type]
        for generation in tuple(self._tokens):
            self._abandon(generation)
        self._done.set()

    def _decide(self, event: TurnEvent) -> None:
        commands = self._machine.handle(event)
        self._observer(notices.Decided(self._tracer.step(event, commands)))
        for command in commands:
            self._execute(command)
        said = messages.Heard | messages.AsideHeard | messages.PartialHeard
        if isinstance(event, said) and event.utterance.speaker == "own":
            self._follow(event.utterance.text)

    def _follow(self, said: str) -> None:
        covered = self._follower.said(said) if self._follower is not None else None
        if covered is not None:
            self._narrator.release(covered)

    def _note(self, notice: Notice) -> None:
        match notice:
            case notices.SpeechBegan():
                self._warmer.wish()
            case notices.StageReached(generation, stage, at_ns):
                self._mark(generation, stage, at_ns)
            case notices.ThesisStarted(thesis, at_ns):
                self._mark(thesis.generation, Stage.FIRST_SAMPLE, at_ns)
                if self._follower is not None:
                    self._follower.began(thesis)
            case notices.ThesisSpoken(thesis):
                self._mark(thesis.generation, Stage.LAST_SAMPLE, self._clock.now_ns())
            case notices.SegmentDropped(number, reason):
                log_event(_LOG, logging.WARNING, "segment dropped", number=number, reason=reason)
            case notices.BackendFailed(backend):
                log_event(_LOG, logging.WARNING, "backend failed", backend=backend)
            case _:
                pass
        self._observer(notice)

    def _mark(self, generation: int, stage: Stage, at_ns: int) -> None:
        recorder = self._times.get(generation)
        if recorder is not None:
            recorder.mark(stage, at_ns)

    def _execute(self, command: TurnCommand) -> None:
        match command:
            case messages.Answer():
                self._answer(command)
            case messages.Hasten(number, revision):
                self._ear.hasten(number, revision)
            case messages.VoidSegment(number, revision):
                self._transcribers.void(number, revision)
            case messages.Prepare(thesis):
                self._observer(notices.ThesisForeseen(thesis))
                self._prepared[thesis.generation, thesis.number] = self._synthesize(thesis)
            case messages.Take(generation, utterance):
                self._take(generation, utterance)
            case messages.Discard(generation):
                self._times.pop(generation)
                self._observer(notices.SpeculationEnded(generation, taken=False))
            case messages.Speak(thesis):
                self._observer(notices.ThesisAdded(thesis))
                spoken = self._prepared.pop((thesis.generation, thesis.number), None)
                self._narrator.speak(spoken or self._synthesize(thesis))
            case messages.FinishSpeaking(generation):
                self._narrator.finish(self._tokens[generation])
            case messages.Abandon(generation):
                self._abandon(generation)
            case messages.DropOlderSegments(number):
                if self._voice.paused:  # there is a new answer
                    self._observer(self._voice.hold(False))
                for dropped in self._transcribers.drop_older(number):
                    self._note(dropped)
            case messages.Ignore(utterance, reason):
                self._observer(notices.UtteranceHeard(utterance, 0, reason))
            case messages.EndTurn(generation, outcome, detail):
                self._tokens.pop(generation, None)
                times = self._times.pop(generation).freeze()
                self._observer(notices.TurnEnded(generation, outcome, detail, times))
            case messages.TakeNext(number):
                if self._turnstile is not None:
                    self._turnstile.leave(number)
            case messages.Finish():
                self._done.set()
            case _:
                assert_never(command)

    def _answer(self, command: messages.Answer) -> None:
        utterance, settings = command.utterance, self._settings
        self._times[command.generation] = TurnRecorder(command.generation, self._clock)
        language = utterance.language if settings.language == "auto" else settings.language
        token = self._tokens[command.generation] = TurnToken(command.generation, language)
        if command.speculative:
            self._observer(notices.Speculated(utterance, command.generation, command.early))
        else:
            self._accept(command.generation, utterance)
        question = Question(utterance.text, language, settings.max_theses, command.context)
        self._thinker.ask(token, question)

    def _take(self, generation: int, utterance: messages.Utterance) -> None:
        self._observer(notices.SpeculationEnded(generation, taken=True))
        self._accept(generation, utterance)

    def _accept(self, generation: int, utterance: messages.Utterance) -> None:
        recorder = self._times[generation]
        for stage, at_ns in utterance.marks:
            recorder.mark(stage, at_ns)
        recorder.mark(Stage.QUESTION_ACCEPTED)
        self._observer(notices.UtteranceHeard(utterance, generation, ""))

    def _synthesize(self, thesis: messages.Thesis) -> SpokenThesis:
        spoken = SpokenThesis(thesis, self._tokens[thesis.generation])
        self._pool.submit(spoken)
        return spoken

    def _abandon(self, generation: int) -> None:
        token = self._tokens.pop(generation)
        self._narrator.give_up(token)
        self._thinker.forget(token)
        self._pool.forget(token)
        self._prepared = {key: spoken for key, spoken in self._prepared.items() if key[0] != generation}
