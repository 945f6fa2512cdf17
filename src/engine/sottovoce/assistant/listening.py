"""What somebody has said so far: the open segment, fed to a recogniser while it is being spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sottovoce.assistant.messages import EarKind, PartialHeard, SpeakerKind, SpeechLost, Utterance
from sottovoce.assistant.notices import HeardSoFar
from sottovoce.assistant.ports import NoPurse, Purse
from sottovoce.core.errors import BackendError
from sottovoce.core.queues import BoundedQueue
from sottovoce.core.types import Mono
from sottovoce.core.units import frames_to_s, s_to_frames
from sottovoce.speech.asr.base import Recognizer, RecognizerStream, StreamingRecognizer, Transcript
from sottovoce.speech.segmenter import OpenSegment, Segment
from sottovoce.speech.speaker import SpeakerVerifier
from sottovoce.speech.usage import charged_to

#: What has been said counts once it has not changed while so much (s) more was heard: a block of the detector or of the
#: microphone. A recogniser that takes it back has cost a call in vain, and nothing else.
STABLE_S = 0.03

#: Speech (s), pre-roll included, from which is told whose voice it is.
WHOSE_AFTER_S = 1.0

News: TypeAlias = HeardSoFar | PartialHeard | SpeechLost


class OpenSpeech(Protocol):
    """What the listener needs of a segmenter."""

    @property
    def open_segment(self) -> OpenSegment | None: ...

    def spoken_since(self, frame: int) -> Mono: ...


@dataclass(slots=True, eq=False)
class _Whose:
    """Whose voice a segment is, once that is known."""

    start_frame: int
    asked: bool = False
    speaker: SpeakerKind | None = None


@dataclass(slots=True, eq=False)
class _Hearing:
    """A stream and the segment that it hears; ``latest`` is set by whichever thread the recogniser likes."""

    opened: OpenSegment
    fed_frame: int
    latest: tuple[Transcript, int] | None = None  # and what had been fed when it came
    seen: Transcript | None = None
    seen_frame: int = 0
    told: bool = True  # what was seen last

    def heard(self, transcript: Transcript) -> None:
        self.latest = transcript, self.fed_frame


class Listener:
    """Feeds a stream for each open segment, and tells what it understands; belongs to the thread of the ear.

    A stream is opened once a segment is long enough to count, so that a cough costs nothing, and fed from the
    pre-roll on. At a pause it is handed over, since its final transcript is that of all that was said; if speech goes
    on, another one hears the segment from its beginning.

    Parameters
    ----------
    recognizers : sequence of Recognizer
        Those that stream are used in turn, so that one may still finish while the next one listens.
    verifier : SpeakerVerifier
        Says whose voice it is; asked by :meth:`work`, the body of a thread of its own.
    samplerate : int
        Of the ear, in Hz.
    purse : Purse, optional
        Pays for what is recognised.
    ear : EarKind
        That it listens with.
    """

    def __init__(
        self,
        recognizers: Sequence[Recognizer],
        verifier: SpeakerVerifier,
        samplerate: int,
        purse: Purse | None = None,
        ear: EarKind = "microphone",
    ) -> None:
        self._recognizers = [each for each in recognizers if isinstance(each, StreamingRecognizer)]
        self._verifier = verifier
        self._purse = purse or NoPurse()
        self._samplerate = samplerate
        self._ear = ear
        self._stable_frames = s_to_frames(STABLE_S, samplerate)
        self._opened = 0
        self._number = 0  # of the segment that may still come to nothing
        self._revision = 0  # of the pause that the stream will be handed over at, if there is one
        self._hearing: _Hearing | None = None
        self._stream: RecognizerStream | None = None
        self._handed_over = False
        self._whose = _Whose(-1)
        self._doubts: BoundedQueue[tuple[_Whose, Mono]] = BoundedQueue(1)

    @property
    def available(self) -> bool:
        """Whether any recogniser streams."""
        return bool(self._recognizers)

    def follow(self, speech: OpenSpeech) -> list[News]:
        """Feed what has been heard since the last call; returns what is new."""
        opened = speech.open_segment
        if opened is None:
            return self._lost()
        if self._handed_over:
            return []
        hearing = self._hearing
        if hearing is None or hearing.opened.start_frame != opened.start_frame:
            hearing = self._open(opened)
        if hearing.fed_frame < opened.end_frame:
            self._feed(hearing, speech.spoken_since(hearing.fed_frame))
        if not self._whose.asked and opened.end_frame - opened.start_frame >= WHOSE_AFTER_S * self._samplerate:
            self._whose.asked = True
            self._doubts.put((self._whose, speech.spoken_since(opened.start_frame)))
        return self._news(hearing)

    def hand_over(self, segment: Segment, *, whole: bool = True) -> RecognizerStream | None:
        """The stream that has heard ``segment``, fed to its end and not listened to any more; None if there is none.

        Not ``whole`` is a piece of a speech that was cut, beyond which the stream has heard more.
        """
        hearing, stream = self._hearing, self._stream
        self._hearing = self._stream = None
        self._handed_over = True
        if hearing is None or stream is None:
            return None
        start_frame = s_to_frames(segment.start_s, self._samplerate)
        if not whole or start_frame != hearing.opened.start_frame:
            stream.close()
            return None
        rest = segment.audio[hearing.fed_frame - start_frame :]
        if len(rest):
            stream.feed(rest)
        return stream

    def went_on(self) -> None:
        """It was but a pause: listen again."""
        self._handed_over = False

    def settled(self) -> None:
        """The segment counts, and is over."""
        self._handed_over = False
        self._number = 0

    def work(self) -> None:
        """Judge voices until closed."""
        while self.judge():
            pass

    def judge(self, timeout_s: float | None = None) -> bool:
        """Say whose voice is heard, once that is asked; False if it was not in time, or will never be."""
        doubt = self._doubts.get(timeout_s)
        if doubt is None:
            return False
        whose, audio = doubt
        try:
            whose.speaker = self._verifier.verify(audio, self._samplerate).kind
        except BackendError:  # which the check of the whole segment will say
            whose.speaker = "unsure"
        return True

    def close(self) -> None:
        """Listen no more; from the thread of the ear, or once that has ended."""
        self._doubts.close()
        self._stop()

    def _open(self, opened: OpenSegment) -> _Hearing:
        self._stop()
        recognizer = self._recognizers[self._opened % len(self._recognizers)]
        self._opened += 1
        self._revision = self._revision + 1 if opened.number == self._number else 1
        self._number = opened.number
        if self._whose.start_frame != opened.start_frame:
            self._whose = _Whose(opened.start_frame)
        hearing = self._hearing = _Hearing(opened, opened.start_frame)
        with charged_to(self._purse.for_segment(opened.number, self._revision)):
            try:
                self._stream = recognizer.listen(hearing.heard)
            except BackendError:  # which the transcription of the whole segment will say
                self._stream = None
        return hearing

    def _feed(self, hearing: _Hearing, audio: Mono) -> None:
        hearing.fed_frame += len(audio)
        if self._stream is not None:
            self._stream.feed(audio)

    def _stop(self) -> None:
        stream, self._hearing, self._stream = self._stream, None, None
        if stream is not None:
            stream.close()

    def _lost(self) -> list[News]:
        self._stop()
        self._handed_over = False
        number, self._number = self._number, 0
        return [SpeechLost(number), HeardSoFar(0.0, "")] if number else []

    def _news(self, hearing: _Hearing) -> list[News]:
        news: list[News] = []
        latest, came_frame = hearing.latest or (None, 0)
        if latest is not None and latest is not hearing.seen:
            changed = hearing.seen is None or latest.text != hearing.seen.text
            hearing.seen = latest
            if changed:
                hearing.seen_frame, hearing.told = came_frame, False
                at_s = frames_to_s(hearing.opened.start_frame, self._samplerate)
                news.append(HeardSoFar(at_s, latest.text))
        speaker = self._whose.speaker
        if hearing.told or hearing.seen is None or speaker is None:
            return news
        if hearing.fed_frame - hearing.seen_frame < self._stable_frames:
            return news
        hearing.told = True
        if hearing.seen.text:
            news.append(PartialHeard(self._utterance(hearing, hearing.seen, speaker)))
        return news

    def _utterance(self, hearing: _Hearing, said: Transcript, speaker: SpeakerKind) -> Utterance:
        return Utterance(
            number=hearing.opened.number,
            speaker=speaker,
            text=said.text,
            language=said.language,
            confidence=said.confidence,
            start_s=frames_to_s(hearing.opened.start_frame, self._samplerate),
            end_s=frames_to_s(hearing.fed_frame, self._samplerate),
            marks=(),
            backend=said.backend,
            ear=self._ear,
        )
