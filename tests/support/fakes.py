"""Parts for a pipeline that do exactly what a test says, when it says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sottovoce.assistant.notices import Notice
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.segmenter import Segment, SegmenterEvent, SpeechPaused, SpeechResumed, SpeechStarted

SAMPLERATE = 1000


class ScriptedInput:
    """An ear that hears what the test says; a word is a block whose first sample is its number."""

    samplerate = SAMPLERATE

    def __init__(self, realtime: bool = True) -> None:
        self.realtime = realtime
        self._blocks: list[Mono] = []
        self._ended = False
        self._condition = threading.Condition()

    def say(self, word: int, seconds: float = 2.0) -> None:
        block = np.zeros(round(seconds * SAMPLERATE), np.float32)
        block[0] = word
        self.hear_whole(block)

    def hear_whole(self, block: Mono) -> None:
        """Several words as one block: each is the sample at which a part of it begins."""
        with self._condition:
            self._blocks.append(block)
            self._condition.notify_all()

    def hear(self, audio: Mono) -> None:
        """Sound as it is, in blocks of a microphone."""
        with self._condition:
            self._blocks += [audio[at : at + 32] for at in range(0, len(audio), 32)]
            self._condition.notify_all()

    def end(self) -> None:
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    close = end

    def read(self) -> Mono | None:
        with self._condition:
            self._condition.wait_for(lambda: self._blocks or self._ended)
            return self._blocks.pop(0) if self._blocks else None


class _NothingOpen:
    """A segmenter that does not tell what is being said before it has been said."""

    open_segment = None

    def spoken_since(self, frame: int) -> Mono:
        raise AssertionError("nothing is open")


class BlockSegmenter(_NothingOpen):
    """Takes every block for a segment."""

    speaking = False

    def __init__(self) -> None:
        self._at_s = 0.0
        self._number = 0

    def feed(self, chunk: Mono) -> Sequence[SegmenterEvent]:
        start_s, self._at_s = self._at_s, self._at_s + len(chunk) / SAMPLERATE
        self._number += 1
        return [SpeechStarted(start_s), Segment(chunk, start_s, self._at_s, self._at_s - 0.5, self._number)]

    def flush(self) -> Sequence[SegmenterEvent]:
        return []

    def hasten(self, number: int, revision: int) -> None: ...

    def align(self) -> None: ...


class PausingSegmenter(_NothingOpen):
    """Pauses after every block, whose word is the whole speech so far; WENT_ON and OVER say what the pause was."""

    speaking = False
    WENT_ON, OVER = 0, -1

    def __init__(self) -> None:
        self.hastened: list[tuple[int, int]] = []
        self._number = 1
        self._paused: Segment | None = None
        self._revision = 0

    def feed(self, chunk: Mono) -> Sequence[SegmenterEvent]:
        code = round(float(chunk[0]))
        paused, self._paused = self._paused, None
        if code == self.WENT_ON:
            return [SpeechResumed(self._number, self._revision)]
        if code == self.OVER:
            assert paused is not None
            self._number, self._revision = self._number + 1, 0
            return [paused]
        self._revision += 1
        self._paused = Segment(chunk, 0.0, 1.0, 0.5, self._number, self._revision)
        return [SpeechPaused(self._paused)]

    def flush(self) -> Sequence[SegmenterEvent]:
        return []

    def hasten(self, number: int, revision: int) -> None:
        self.hastened.append((number, revision))

    def align(self) -> None: ...


class WordRecognizer:
    """Knows the words of the test; a gate holds a word back until it is opened, or the work is cancelled."""

    name = "words"
    samplerate = SAMPLERATE

    def __init__(self, words: dict[int, str], gates: dict[int, threading.Event] | None = None) -> None:
        self.words = words
        self.gates = {} if gates is None else gates
        self.busy = threading.Event()

    def warm(self) -> None: ...

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None: ...

    def close(self) -> None: ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        word = round(float(audio[0]))
        self.busy.set()
        if word in self.gates:
            gate = self.gates[word]
            cancel.on_cancel(gate.set)
            gate.wait(10.0)
        if self.words[word] == "fail":
            raise BackendError("the recogniser is broken", backend=self.name, hint="mend it")
        return Transcript(self.words[word], "en", 0.9, self.name)


class LevelDetector:
    """Takes for speech what is not silence."""

    name = "level"
    samplerate = SAMPLERATE
    blocksize = 32

    def probability(self, block: Mono) -> float:
        return float(block.any())

    def reset(self) -> None: ...


def said(*words: int, seconds: float = 0.4) -> Mono:
    """Speech for :class:`WordStreams`: each word lasts so long, and 0 is silence."""
    levels = [0.1 + word / 100 if word else 0.0 for word in words]
    return np.repeat(np.asarray(levels, np.float32), round(seconds * SAMPLERATE))


class WordStreams:
    """Understands :func:`said`, also while it is being said; ``wrongly`` changes what it understands before the end."""

    name = "word streams"
    samplerate = SAMPLERATE

    def __init__(self, words: dict[int, str], wrongly: Callable[[str], str] = str) -> None:
        self.words = words
        self.wrongly = wrongly
        self.failing = False
        self.opened: list[WordStream] = []

    def warm(self) -> None: ...

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None: ...

    def close(self) -> None: ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        levels = audio[np.flatnonzero(audio)]
        numbers = [round(float(level - 0.1) * 100) for level in levels]
        changes = [number for at, number in enumerate(numbers) if at == 0 or number != numbers[at - 1]]
        return Transcript(" ".join(self.words[number] for number in changes), "en", 0.9, self.name)

    def listen(self, heard: Callable[[Transcript], None]) -> WordStream:
        self.opened.append(WordStream(self, heard))
        return self.opened[-1]


class WordStream:
    """A segment that :class:`WordStreams` hears."""

    def __init__(self, recognizer: WordStreams, heard: Callable[[Transcript], None]) -> None:
        self._recognizer = recognizer
        self._heard = heard
        self.audio = np.zeros(0, np.float32)
        self.finished = False
        self.closed = False

    def feed(self, audio: Mono) -> None:
        assert not self.finished
        assert not self.closed
        self.audio = np.concatenate([self.audio, audio])
        transcript = self._recognizer.transcribe(self.audio, CancelToken())
        if text := self._recognizer.wrongly(transcript.text):
            self.tell(text)

    def tell(self, text: str) -> None:
        """This has been understood so far."""
        self._heard(Transcript(text, "en", 0.9, self._recognizer.name))

    def finish(self, cancel: CancelToken) -> Transcript:
        self.finished = True
        if self._recognizer.failing:
            raise BackendError("the stream broke", backend=self._recognizer.name)
        return self._recognizer.transcribe(self.audio, cancel)

    def close(self) -> None:
        self.closed = True


class ListGenerator:
    """Answers from a list; a gate holds the answer to a question back."""

    name = "list"

    def __init__(self, answers: dict[str, list[str]], gates: dict[str, threading.Event] | None = None) -> None:
        self.answers = answers
        self.gates = {} if gates is None else gates
        self.asked: list[Question] = []

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        self.asked.append(question)
        if question.text in self.gates:
            gate = self.gates[question.text]
            cancel.on_cancel(gate.set)
            gate.wait(10.0)
        for line in self.answers.get(question.text, []):
            if cancel.cancelled:
                return
            if line == "fail":
                raise BackendError("503", backend=self.name, retryable=True)
            yield Delta(line + "\n", "test notes")


class ToneSynthesizer:
    """Speaks a tenth of a second for each letter; ``fail`` fails, ``mute`` gives no sound."""

    name = "tone"
    samplerate = SAMPLERATE

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self._condition = threading.Condition()

    def wait_spoken(self, count: int) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: len(self.spoken) >= count, 10.0)

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        with self._condition:
            self.spoken.append(text)
            self._condition.notify_all()
        if text == "fail":
            raise BackendError("no voice", backend=self.name)
        if text == "mute":
            return
        for _ in text:
            if cancel.cancelled:
                return
            yield np.full(SAMPLERATE // 10, 0.5, np.float32)


class SteppedOutput:
    """A voice output that plays as the test says: at once, or only what :meth:`play` lets through."""

    output_latency_s = 0.0

    def __init__(self, instant: bool = True, room_s: float = 1e9) -> None:
        self._instant = instant
        self._room_frames = int(room_s * SAMPLERATE)
        self._condition = threading.Condition()
        self._generation = 0
        self._written = 0
        self._played = 0
        self._first_ns = 0
        self.log: list[tuple[int, int]] = []
        self.paused = False
        self.gain = 1.0

    @property
    def played_s(self) -> float:
        with self._condition:
            return self._played / SAMPLERATE

    @property
    def first_frame_ns(self) -> int:
        with self._condition:
            return self._first_ns

    @property
    def written_s(self) -> float:
        with self._condition:
            return self._written / SAMPLERATE

    @property
    def generation(self) -> int:
        with self._condition:
            return self._generation

    def wait_generation(self, generation: int) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._generation >= generation, 10.0)

    def wait_written(self, seconds: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._written >= seconds * SAMPLERATE, 10.0)

    def play(self, seconds: float) -> None:
        with self._condition:
            self._advance(min(self._written, self._played + round(seconds * SAMPLERATE)))

    def write(
        self, x: Mono, generation: int | None = None, timeout_s: float | None = None, cancel: CancelToken | None = None
    ) -> int:
        if cancel is not None:
            cancel.on_cancel(self._wake)
        with self._condition:

            def refused() -> bool:
                return generation not in (None, self._generation) or (cancel is not None and cancel.cancelled)

            self._condition.wait_for(lambda: refused() or self._written - self._played + len(x) <= self._room_frames)
            if refused():
                return 0
            self._written += len(x)
            self.log.append((self._generation, len(x)))
            if self._instant:
                self._advance(self._written)
            self._condition.notify_all()
            return len(x)

    def end(self, generation: int | None = None) -> None: ...

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def set_gain(self, gain: float, ramp_s: float = 0.02) -> None:
        self.gain = gain

    def flush(self) -> int:
        with self._condition:
            self._generation += 1
            self._written = self._played = self._first_ns = 0
            self._condition.notify_all()
            return self._generation

    def drain(self, timeout_s: float | None = None, cancel: CancelToken | None = None) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._played >= self._written, timeout_s)

    def _advance(self, played: int) -> None:
        if played and not self._first_ns:
            self._first_ns = 1
        self._played = played
        self._condition.notify_all()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()


class Notebook:
    """An observer that keeps every notice and lets a test wait for one."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._condition = threading.Condition()

    def __call__(self, notice: Notice) -> None:
        with self._condition:
            self.notices.append(notice)
            self._condition.notify_all()

    def of(self, kind: type) -> list[Notice]:
        with self._condition:
            return [notice for notice in self.notices if isinstance(notice, kind)]

    def came(self, kind: type, count: int = 1, within_s: float = 10.0) -> bool:
        with self._condition:
            return self._condition.wait_for(
                lambda: sum(isinstance(notice, kind) for notice in self.notices) >= count, within_s
            )

    def wait_for(self, kind: type, count: int = 1) -> list[Notice]:
        assert self.came(kind, count), f"{count} x {kind.__name__} did not come; there were {self.notices}"
        return self.of(kind)
