"""Real recordings spliced into one conversation, with pauses and noise, and a session that hears it.

The tape runs on a clock of its own, and stands still while a recogniser works: what is decided about a pause is decided
before the sound goes on, as with the fastest of recognisers, which is the one that cuts people short most readily.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from sottovoce.app.inputs import BLOCK_S
from sottovoce.app.settings import Config
from sottovoce.app.wiring import rejoin_s
from sottovoce.assistant import notices
from sottovoce.assistant.notices import Notice
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain, s_to_frames
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.llm.base import Generator
from sottovoce.speech.segmenter import Segment, Segmenter, SegmenterEvent, SegmenterSettings, SpeechPaused
from sottovoce.speech.speaker import NotEnrolled
from sottovoce.speech.vad import open_vad
from tests.support.fakes import SteppedOutput, ToneSynthesizer
from tests.support.shared import manifest, shared_data

RATE = 16_000

#: As a microphone gives them to the better detector.
_BLOCK_FRAMES = s_to_frames(BLOCK_S, RATE)

#: Level of speech on the tape, whatever the recording's own was.
SPEECH_DBFS = -26.0

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording on the tape; ``words`` are its transcript."""

    words: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Tape:
    """What is heard, and what is said in it."""

    audio: Mono
    spoken: tuple[Spoken, ...]


@dataclass(slots=True)
class Session:
    """What came of a tape: utterances with the theses of their answers."""

    utterances: list[tuple[float, float, str, int]] = field(default_factory=list)
    theses: dict[int, list[str]] = field(default_factory=dict)

    def heard_of(self, spoken: Spoken) -> list[str]:
        """The transcripts of all utterances in which somebody says it."""
        return [text for start_s, end_s, text, _ in self.utterances if _overlap(spoken, start_s, end_s)]

    def answers_to(self, spoken: Spoken) -> list[str]:
        """The first theses of all answers to it."""
        turns = [turn for start_s, end_s, _, turn in self.utterances if turn and _overlap(spoken, start_s, end_s)]
        return [self.theses[turn][0] for turn in turns if self.theses.get(turn)]


def recordings(*kinds: str, most_s: float = 60.0) -> list[dict[str, str]]:
    """Rows of the manifest that have words, of these kinds and at most so long."""
    rows = [row for kind in kinds for row in manifest(kind)]
    return [
        row for row in rows if row["transcript"] and "see " not in row["transcript"] and float(row["seconds"]) <= most_s
    ]


def splice(rows: Sequence[Mapping[str, str]], *, gap_s: float, pause_s: float = 0.0, snr_db: float, seed: int) -> Tape:
    """Recordings one after another, ``gap_s`` apart, with a pause of ``pause_s`` in the middle of each, over noise."""
    rng = np.random.default_rng(seed)
    parts: list[Mono] = [_silence(gap_s)]
    spoken: list[Spoken] = []
    at = len(parts[0])
    for row in rows:
        speech = _levelled(_read(shared_data() / "speech" / row["file"]))
        middle = _quietest(speech)
        pieces = [speech[:middle], _silence(pause_s), speech[middle:], _silence(gap_s * rng.uniform(0.9, 1.3))]
        frames = sum(len(piece) for piece in pieces[:3])
        spoken.append(Spoken(row["transcript"].lower(), at / RATE, (at + frames) / RATE))
        parts += pieces
        at += frames + len(pieces[3])
    audio = np.concatenate(parts)
    noise = np.concatenate([_levelled(_read(shared_data() / "speech" / row["file"])) for row in manifest("noise")])
    return Tape(audio + db_to_gain(-snr_db) * np.resize(noise, len(audio)), tuple(spoken))


def hold(tape: Tape, recognizer: Recognizer, generator: Generator, settings: SegmenterSettings) -> Session:
    """Let a live session hear the tape to its end, with the usual settings of turns."""
    ear = _TapeInput(tape.audio)
    segmenter = _NotedSegmenter(ear, settings)
    parts = Parts(ear, segmenter, NotEnrolled(), [recognizer], generator, ToneSynthesizer(), SteppedOutput())
    session = Session()

    def observe(notice: Notice) -> None:
        match notice:
            case notices.Decided(step) if step.event["event"] == "heard":
                ear.settled((step.event["number"], step.event["revision"]))
            case notices.UtteranceHeard(utterance, generation):
                session.utterances.append((utterance.start_s, utterance.end_s, utterance.text, generation))
            case notices.ThesisAdded(thesis):
                session.theses.setdefault(thesis.generation, []).append(thesis.text)
            case _:
                pass

    with _running(
        Pipeline(parts, PipelineSettings(lossless=False, rejoin_s=rejoin_s(Config())), observe, ear)
    ) as pipeline:
        assert pipeline.wait(_PATIENCE_S * 10), "the session is stuck"
    return session


class _TapeInput:
    """An ear, and the clock of what it has heard; waits for every transcript that was asked for."""

    samplerate = RATE
    realtime = True

    def __init__(self, audio: Mono) -> None:
        self._audio = audio
        self._at = 0
        self._asked: set[tuple[int, int]] = set()
        self._closed = False
        self._condition = threading.Condition()

    def now_ns(self) -> int:
        return 1 + round(self._at * 1e9 / RATE)

    def asked(self, segment: Segment) -> None:
        with self._condition:
            self._asked.add((segment.number, segment.revision))

    def settled(self, key: tuple[int, int]) -> None:
        with self._condition:
            self._asked.discard(key)
            self._condition.notify_all()

    def read(self) -> Mono | None:
        with self._condition:
            if not self._condition.wait_for(lambda: self._closed or not self._asked, _PATIENCE_S):
                raise TimeoutError(f"no transcript of {self._asked}")
            block = self._audio[self._at : self._at + _BLOCK_FRAMES]
            self._at += len(block)
            return block if len(block) and not self._closed else None

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class _NotedSegmenter(Segmenter):
    """Tells the ear of every segment that is about to be transcribed."""

    def __init__(self, ear: _TapeInput, settings: SegmenterSettings) -> None:
        super().__init__(open_vad("silero"), settings)
        self._ear = ear

    def feed(self, chunk: Mono) -> list[SegmenterEvent]:
        events = super().feed(chunk)
        for event in events:
            if isinstance(event, SpeechPaused):
                self._ear.asked(event.segment)
            elif isinstance(event, Segment) and not event.revision:
                self._ear.asked(event)
        return events


@contextmanager
def _running(pipeline: Pipeline) -> Iterator[Pipeline]:
    pipeline.start()
    try:
        yield pipeline
    finally:
        assert pipeline.close(5.0) == ()


def _overlap(spoken: Spoken, start_s: float, end_s: float) -> bool:
    """Whether an utterance holds some of it; its pre-roll and hang-over may touch the neighbours."""
    return min(spoken.end_s, end_s) - max(spoken.start_s, start_s) > 0.4


def _read(path: Path) -> Mono:
    audio, samplerate = soundfile.read(path, dtype="float32")
    assert samplerate == RATE
    return audio if audio.ndim == 1 else audio[:, 0]


def _levelled(audio: Mono) -> Mono:
    """At the level of the tape, by the mean square of what is louder than the mean."""
    squares = audio.astype(np.float64) ** 2
    loud = squares[squares > squares.mean()]
    return (audio * (db_to_gain(SPEECH_DBFS) / np.sqrt(loud.mean()))).astype(np.float32)


def _quietest(speech: Mono) -> int:
    """Where a pause does least harm: the quietest 40 ms in the middle third."""
    size = s_to_frames(0.04, RATE)
    power = np.convolve(speech.astype(np.float64) ** 2, np.ones(size), "same")
    first, last = len(speech) // 3, 2 * len(speech) // 3
    return first + int(np.argmin(power[first:last]))


def _silence(seconds: float) -> Mono:
    return np.zeros(s_to_frames(seconds, RATE), np.float32)
