"""A conversation of hours, held as fast as the machine can, on a clock that runs with the sound that is heard."""

from __future__ import annotations

import gc
import random
import threading
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cached_cell_len

from sottovoce.assistant import notices
from sottovoce.assistant.notices import Notice
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.assistant.ports import Observer
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.segmenter import Segmenter, SegmenterSettings
from sottovoce.speech.speaker import NotEnrolled
from tests.support.fakes import SAMPLERATE, SteppedOutput

BLOCK_FRAMES = 32
BLOCK_S = BLOCK_FRAMES / SAMPLERATE

#: Growth after the first tenth of a session that is no leak.
MOST_GROWN_BYTES = 1_000_000

#: How long (s) a word of a question takes.
WORD_S = 0.3

#: In a session of fewer turns, what grows with them is not more than what is bounded and still fills.
_ENOUGH_TURNS = 60

_PATIENCE_S = 30.0


def question(number: int) -> str:
    """One of a million."""
    return f"what does the floor number {number} cost"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a session holds at one moment of it.

    Attributes
    ----------
    taken, in_vain : int
        Answers that were begun before their question was over, and what became of them.
    traced_bytes : int
        Memory of Python and NumPy.
    threads : int
        Threads of the process.
    sizes : dict of str to int
        Items in every container that the session holds, by the way to it.
    """

    at_s: float
    turns: int
    taken: int
    in_vain: int
    traced_bytes: int
    threads: int
    sizes: dict[str, int]


class SoundClock:
    """A clock that runs with what has been heard."""

    def __init__(self) -> None:
        self.blocks = 0

    def now_ns(self) -> int:
        return 1_000_000_000 + round(self.blocks * BLOCK_S * 1e9)


class Detector:
    """Takes for speech what is not silence."""

    name = "scripted"
    samplerate = SAMPLERATE
    blocksize = BLOCK_FRAMES

    def probability(self, block: Mono) -> float:
        return float(block.any())

    def reset(self) -> None: ...


class Recognizer:
    """Understands a question while it is said, sometimes wrongly or nothing of it, and fails now and then."""

    name = "soak"
    samplerate = SAMPLERATE

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def warm(self) -> None: ...

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None: ...

    def close(self) -> None: ...

    def listen(self, heard: Callable[[Transcript], None]) -> Stream:
        return Stream(self, heard, self._rng.randrange(10**6))

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        return self.understand(self._rng.randrange(10**6))

    def understand(self, number: int) -> Transcript:
        """The final transcript of what was heard as the question of that number."""
        chance = self._rng.random()
        if chance < 0.05:
            raise BackendError("the recogniser is broken", backend=self.name)
        if chance < 0.2:
            number = self._rng.randrange(10**6)
        return Transcript("" if chance < 0.1 else question(number), "en", 0.9, self.name)


class Stream:
    """Tells the words of a question one by one."""

    def __init__(self, recognizer: Recognizer, heard: Callable[[Transcript], None], number: int) -> None:
        self._recognizer, self._heard, self._number = recognizer, heard, number
        self._frames = 0
        self._told = ""

    def feed(self, audio: Mono) -> None:
        self._frames += len(audio)
        words = question(self._number).split()[: int(self._frames / SAMPLERATE / WORD_S)]
        if (text := " ".join(words)) != self._told:
            self._told = text
            self._heard(Transcript(text, "en", None, self._recognizer.name))

    def finish(self, cancel: CancelToken) -> Transcript:
        return self._recognizer.understand(self._number)

    def close(self) -> None: ...


class Generator:
    """Answers with three theses, sometimes with none, fails now and then, also in the middle."""

    name = "soak"

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        number = int("".join(char for char in question.text if char.isdigit()) or "1")  # begun too early, it has none
        if number % 13 == 0:
            return
        for line in range(3):
            if number % 17 == line:
                raise BackendError("503", backend=self.name, retryable=True)
            yield Delta(f"thesis {line} on {number}\n", "notes")


class Synthesizer:
    """Speaks a tenth of a second for each letter."""

    name = "soak"
    samplerate = SAMPLERATE

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        if text.endswith("9"):
            raise BackendError("no voice", backend=self.name)
        for _ in text:
            if cancel.cancelled:
                return
            yield np.full(SAMPLERATE // 10, 0.5, np.float32)


class Conversation:
    """An ear that hears question after question; the voice output plays as long as is heard.

    Questions have pauses in them, come while the answer before is still spoken, or are only a cough. After each of them
    nobody speaks until the session has decided about it, so that answers are given however fast the hours pass.
    """

    samplerate = SAMPLERATE
    realtime = True

    def __init__(
        self, blocks: int, clock: SoundClock, output: SteppedOutput, each_block: Callable[[int], None]
    ) -> None:
        self._blocks, self._clock, self._output, self._each_block = blocks, clock, output, each_block
        self._rng = random.Random(1)
        self._script: deque[bool | None] = deque()
        self._closed = False
        self._condition = threading.Condition()
        self.ended = threading.Event()
        self._asked = self._decided = 0

    def decided(self) -> None:
        """The session has made up its mind about a question."""
        with self._condition:
            self._decided += 1
            self._condition.notify_all()

    def read(self) -> Mono | None:
        self._each_block(self._clock.blocks)
        if self._closed or self._clock.blocks >= self._blocks:
            self.ended.set()
            return None
        while not self._script:
            self._ask()
        speech = self._script.popleft()
        if speech is None:  # the question is over
            self._asked += 1
            with self._condition:
                settled = self._condition.wait_for(lambda: self._closed or self._decided >= self._asked, _PATIENCE_S)
            if not settled:
                self.ended.set()
                raise TimeoutError("the session is stuck")
            speech = False
        self._clock.blocks += 1
        self._output.play(BLOCK_S)
        self._output.log.clear()
        return np.full(BLOCK_FRAMES, 0.2 if speech else 0.0, np.float32)

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _ask(self) -> None:
        rng = self._rng

        def add(speech: bool, seconds: float) -> None:
            self._script.extend([speech] * round(seconds / BLOCK_S))

        if rng.random() < 0.1:
            add(True, 0.15)  # a cough
            add(False, 1.0)
        for _ in range(rng.randrange(3)):
            add(True, rng.uniform(0.7, 2.0))
            add(False, rng.uniform(0.2, 0.32))  # a pause
        add(True, rng.uniform(1.0, 3.0))
        add(False, 1.0)
        self._script.append(None)
        add(False, rng.choice([0.5, 1.0, 3.0, 8.0]))


class Watcher:
    """Counts turns, and tells the conversation what has been decided."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.turns = self.taken = self.in_vain = 0

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, notices.UtteranceHeard | notices.SegmentDropped):
            self._conversation.decided()
        elif isinstance(notice, notices.TurnEnded):
            self.turns += 1
        elif isinstance(notice, notices.SpeculationEnded):
            self.taken += notice.taken
            self.in_vain += not notice.taken


def hold(
    seconds: float, observers: Sequence[Observer] = (), recognizers: Sequence[Recognizer] | None = None
) -> list[Reading]:
    """A session of so many seconds of its own time; returns a reading for each tenth of it.

    Parameters
    ----------
    observers : sequence of Observer
        Who watches; what they hold is looked at, too.
    recognizers : sequence of Recognizer, optional
        One for each thread.
    """
    clock, output = SoundClock(), SteppedOutput(instant=False, room_s=1.0)
    readings: list[Reading] = []
    blocks = round(seconds / BLOCK_S)

    def look(block: int) -> None:
        if block * 10 >= blocks * (len(readings) + 1):
            readings.append(_look(clock, watcher, pipeline, *observers, *recognizers))

    recognizers = recognizers or (Recognizer(1), Recognizer(2))
    ear = Conversation(blocks, clock, output, look)
    watcher = Watcher(ear)
    segmenter = Segmenter(Detector(), SegmenterSettings(pause_ms=160))
    parts = Parts(ear, segmenter, NotEnrolled(), recognizers, Generator(), Synthesizer(), output)

    def observe(notice: Notice) -> None:
        for observer in (watcher, *observers):
            observer(notice)

    pipeline = Pipeline(parts, PipelineSettings(lossless=False), observe, clock)
    tracemalloc.start()
    try:
        pipeline.start()
        ear.ended.wait()  # what is being said then would go on for as long as is heard
        pipeline.wait(0.0)
    finally:
        late = pipeline.close(5.0)
        tracemalloc.stop()
    assert late == ()
    return readings


def findings(readings: Sequence[Reading]) -> list[str]:
    """What grew after the first tenth."""
    first, last = readings[0], readings[-1]
    found: list[str] = []
    grown_bytes = last.traced_bytes - first.traced_bytes
    if grown_bytes >= MOST_GROWN_BYTES:
        found.append(f"memory grew by {grown_bytes / 1e6:.2f} MB")
    threads = [reading.threads for reading in readings]
    if len(set(threads)) > 1:
        found.append(f"threads: {threads}")
    turns = last.turns - first.turns
    for way, size in last.sizes.items():
        grown = size - first.sizes.get(way, 0)
        if grown > turns / 2 and turns >= _ENOUGH_TURNS:
            found.append(f"{way} grew by {grown}")
    return found


def _look(clock: SoundClock, watcher: Watcher, *roots: object) -> Reading:
    cached_cell_len.cache_clear()  # widths of the last 4096 texts: bounded, but not full after a tenth
    gc.collect()
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    for root in roots:
        for name in _attributes(root):
            _measure(getattr(root, name, None), f"{type(root).__name__}.{name}", sizes, seen)
    return Reading(
        clock.now_ns() / 1e9,
        watcher.turns,
        watcher.taken,
        watcher.in_vain,
        tracemalloc.get_traced_memory()[0],
        threading.active_count(),
        sizes,
    )


def _measure(thing: object, way: str, sizes: dict[str, int], seen: set[int]) -> None:
    """Note the size of every container that can be reached, through objects of ours."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, dict | list | set | deque):
        inside = _copied(thing)
        sizes[way] = max(sizes.get(way, 0), len(inside))
        for item in inside:
            _measure(item, f"{way}[]", sizes, seen)
    elif isinstance(thing, tuple):
        for item in thing:
            _measure(item, way, sizes, seen)
    elif type(thing).__module__.startswith("sottovoce."):
        for name in _attributes(thing):
            _measure(getattr(thing, name, None), f"{way}.{name}", sizes, seen)


def _copied(container: dict[object, object] | list[object] | set[object] | deque[object]) -> list[object]:
    """What is inside, although threads may be changing it."""
    while True:
        try:
            return list(container.values() if isinstance(container, dict) else container)
        except RuntimeError:
            continue


def _attributes(thing: object) -> set[str]:
    slots = (slot for kind in type(thing).__mro__ for slot in getattr(kind, "__slots__", ()))
    return {*slots, *getattr(thing, "__dict__", {})}
