"""Emulated services behind our contracts, a paced ear, and a voice that is paced by the clock: the same for all."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from bench.peers import script
from sottovoce.app.inputs import BLOCK_S
from sottovoce.app.wiring import VOICE_PREBUFFER_S
from sottovoce.audio.player import Player
from sottovoce.audio.wav import WavOutput
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.segmenter import Segment, Segmenter, SegmenterSettings, SpeechPaused

#: Frames of a block of the voice output: 2 ms, so that waiting for one weighs little.
OUTPUT_BLOCKSIZE = 32

_PATIENCE_S = 20.0


class Ledger:
    """How long each service really took when last asked: a late timer is not the overhead of whoever waits for it."""

    def __init__(self) -> None:
        self._took_ns: dict[str, int] = {}

    def took(self, service: str, since_ns: int) -> None:
        self._took_ns[service] = time.monotonic_ns() - since_ns

    @property
    def path_ns(self) -> int:
        """All of them one after the other, from the end of the sound to the first chunk of the first thesis."""
        return sum(self._took_ns.values())


class Recognizer:
    """Understands ``delay_s`` later what of ``text`` has been said.

    Parameters
    ----------
    mistaken : bool
        Hears another last word as long as it may not be the last.
    """

    name = "emulated"
    samplerate = script.SAMPLERATE

    def __init__(self, ledger: Ledger, delay_s: float, text: str, *, mistaken: bool = False) -> None:
        self._ledger, self._text, self._mistaken = ledger, text, mistaken
        self.delay_s = delay_s

    def warm(self) -> None: ...

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None: ...

    def close(self) -> None: ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        since_ns = time.monotonic_ns()
        if not cancel.wait(self.delay_s):
            self._ledger.took("asr", since_ns)
        return self.heard_in(audio)

    def heard_in(self, audio: Mono) -> Transcript:
        """The transcript of what has been said to its end."""
        text = script.understood(audio, self._text)
        if self._mistaken and audio[-1]:
            text = text.replace("cost", "coast")
        return Transcript(text, "en", 1.0, self.name)


class StreamingRecognizer(Recognizer):
    """Tells each word ``delay_s`` after it was said, and the final transcript as long after it was asked for."""

    def listen(self, heard: Callable[[Transcript], None]) -> Stream:
        return Stream(self, heard)


class Stream:
    """A segment that is heard while it is being said."""

    def __init__(self, recognizer: StreamingRecognizer, heard: Callable[[Transcript], None]) -> None:
        self._recognizer, self._heard = recognizer, heard
        self._condition = threading.Condition()
        self._audio = np.zeros(0, np.float32)
        self._due: list[tuple[float, Transcript]] = []
        self._closed = False
        self._thread = threading.Thread(target=self._tell)
        self._thread.start()

    def feed(self, audio: Mono) -> None:
        with self._condition:
            self._audio = np.concatenate([self._audio, audio])
            transcript = self._recognizer.heard_in(self._audio)
            if not self._due or transcript.text != self._due[-1][1].text:
                self._due.append((time.monotonic() + self._recognizer.delay_s, transcript))
                self._condition.notify_all()

    def finish(self, cancel: CancelToken) -> Transcript:
        self.close()
        return self._recognizer.transcribe(self._audio, cancel)

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _tell(self) -> None:
        told = 0
        with self._condition:
            while not self._closed:
                if told == len(self._due):
                    self._condition.wait()
                elif self._due[told][0] > time.monotonic():
                    self._condition.wait(self._due[told][0] - time.monotonic())
                else:
                    self._heard(self._due[told][1])
                    told += 1


class Generator:
    """Streams the tokens of the script."""

    name = "emulated"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        since_ns, broken = time.monotonic_ns(), False
        for number, token in enumerate(script.TOKENS):
            due_s = since_ns / 1e9 + script.FIRST_TOKEN_S + number * script.TOKEN_S
            if cancel.wait(max(0.0, due_s - time.monotonic())):
                return
            if token.endswith("\n") and not broken:
                self._ledger.took("llm", since_ns)
                broken = True
            yield Delta(token)


class Synthesizer:
    """Speaks a steady tone of a length that the script gives."""

    name = "emulated"
    samplerate = script.SAMPLERATE

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._chunk = np.full(round(script.CHUNK_S * self.samplerate), 0.25, np.float32)
        self._first = script.TOKENS[0]

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        since_ns = time.monotonic_ns()
        for number in range(script.chunks(text)):
            due_s = since_ns / 1e9 + script.TTS_FIRST_S + number * script.CHUNK_EVERY_S
            if cancel.wait(max(0.0, due_s - time.monotonic())):
                return
            if number == 0 and text.startswith(self._first):
                self._ledger.took("tts", since_ns)
            yield self._chunk


class Detector:
    """Says of a block what the script says."""

    name = "scripted"
    samplerate = script.SAMPLERATE
    blocksize = 512  # as Silero's

    def probability(self, block: Mono) -> float:
        return float(script.is_speech(block))

    def reset(self) -> None: ...


class PacedEar:
    """Hears a question at the pace of time, in the blocks of a microphone, then silence until it is closed.

    Attributes
    ----------
    handed_ns : list of int
        When each block was handed over.
    """

    samplerate = script.SAMPLERATE
    realtime = True

    def __init__(self, question: script.Spoken) -> None:
        self.handed_ns: list[int] = []
        self._audio = question.audio
        self._frames = round(BLOCK_S * self.samplerate)
        self._closed = threading.Event()
        self._start_ns = time.monotonic_ns()
        self.true_end_ns = self._start_ns + round(question.end_s * 1e9)

    @property
    def due_s(self) -> float:
        """When the next block has been heard to its end."""
        return self._start_ns / 1e9 + (len(self.handed_ns) + 1) * BLOCK_S

    def block(self, number: int) -> Mono:
        heard = self._audio[number * self._frames : (number + 1) * self._frames]
        return np.pad(heard, (0, self._frames - len(heard)))

    def hand_over(self) -> Mono:
        """The next block; whoever calls has waited until it is due."""
        block = self.block(len(self.handed_ns))
        self.handed_ns.append(time.monotonic_ns())
        return block

    def read(self) -> Mono | None:
        if self._closed.wait(max(0.0, self.due_s - time.monotonic())):
            return None
        return self.hand_over()

    def close(self) -> None:
        self._closed.set()

    def noticed_ns(self, settings: SegmenterSettings) -> int:
        """When the block was handed over in which the last pause, or the end if there is none, can be noticed."""
        segmenter, noticed = Segmenter(Detector(), settings), 0
        for number in range(len(self.handed_ns)):
            for event in segmenter.feed(self.block(number)):
                if isinstance(event, SpeechPaused) or (isinstance(event, Segment) and not event.revision):
                    noticed = number
        return self.handed_ns[noticed]


class Rig:
    """One question, the services and a voice; enter it and the question is being asked.

    Attributes
    ----------
    longest_gap_ms : float
        The longest silence within what was heard; known once it has been left.
    """

    longest_gap_ms = 0.0

    def __init__(
        self, asr_s: float, question: script.Spoken, text: str = script.QUESTION, *, mistaken: bool = False
    ) -> None:
        self.ledger = Ledger()
        self.recognizer = Recognizer(self.ledger, asr_s, text, mistaken=mistaken)
        self.streaming = StreamingRecognizer(self.ledger, asr_s, text)
        self.generator = Generator(self.ledger)
        self.synthesizer = Synthesizer(self.ledger)
        self._question = question
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._wav = Path(folder) / "voice.wav"
        output = WavOutput(self._wav, blocksize=OUTPUT_BLOCKSIZE)
        self.player = self._stack.enter_context(Player(script.SAMPLERATE, 1, output=output))
        self.voice = self.player.open_source(script.SAMPLERATE, prebuffer_s=VOICE_PREBUFFER_S)
        self.ear = PacedEar(self._question)
        return self

    def __exit__(self, *_: object) -> None:
        self.player.close()
        self.longest_gap_ms = _longest_gap_ms(self._wav)
        self._stack.close()

    def wait_for_sound(self) -> int:
        """When the first sample was given to the output, in monotonic ns; it must not be before the question's end."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not (first_ns := self.voice.first_frame_ns):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"nothing was heard within {_PATIENCE_S:.0f} s")
            time.sleep(0.005)
        if first_ns <= self.ear.true_end_ns:
            raise RuntimeError("the answer was heard before the question was over")
        return first_ns


def _longest_gap_ms(wav: Path) -> float:
    heard, samplerate = soundfile.read(wav, dtype="float32")
    sounding = np.flatnonzero(heard)
    return 1000.0 * float(np.diff(sounding).max(initial=1) - 1) / samplerate
