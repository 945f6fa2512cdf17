"""Recognition by OpenAI while somebody still speaks, over a socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendTimeoutError
from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono
from sottovoce.speech.asr._openai_limits import (
    MAX_CLIP_S,
    MIN_CLIP_S,
    SAMPLERATE,
    SILENCE,
    check_length,
    hints_for,
    holds_sound,
)
from sottovoce.speech.asr._openai_socket import SOCKET_SAMPLERATE, RealtimeConnection, Session
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.server import OPENAI

#: Models that write while they listen; others, asked over a socket, write when the segment is over.
LIVE = ("gpt-live-", "gpt-realtime-")


class RealtimeRecognizer:
    """Sends each segment while it is spoken, and tells what it says so far.

    A socket is ready before a segment begins. One that is lost while somebody still speaks is opened again, once, and
    what was sent is sent again; after that it is an error.

    Parameters
    ----------
    connection : RealtimeConnection
        The server and its model.
    language : str
        ISO 639-1 code of what is spoken.
    deadlines : Deadlines
        To the first words after the end of the segment, and between words; the first one is also that of a new socket.
    """

    def __init__(self, connection: RealtimeConnection, *, language: str, deadlines: Deadlines) -> None:
        self._connection = connection
        self._language = language
        self._deadlines = deadlines
        self._phrases: tuple[str, ...] = ()
        self._words: tuple[str, ...] = ()
        self._warmed = False

    @property
    def name(self) -> str:
        return OPENAI.name

    @property
    def samplerate(self) -> int:
        return SAMPLERATE

    def warm(self) -> None:
        """Have a socket ready; what a retry may mend is left to the first segment.

        Raises
        ------
        BackendError
            There is no key, it is refused, or the model is unknown.
        """
        _ = self._connection.client
        self._warmed = True
        self._connection.try_out(self._reserve)

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Send these as a hint, as many as are read, from the next segment on."""
        self._phrases, self._words = tuple(phrases), tuple(words)
        if self._warmed:
            self._connection.start(self._reserve)  # whether it can be had is the business of the next segment

    def listen(self, heard: Callable[[Transcript], None]) -> RealtimeStream:
        """Begin a segment; see :meth:`StreamingRecognizer.listen`."""
        _ = self._connection.client  # in this thread: its import takes long
        return RealtimeStream(self._connection, self._hints(), self._language, self._deadlines, heard)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """Recognise one segment that is over; nothing is sent of one that is too short for a word, or silent.

        Raises
        ------
        BackendError
            The service failed, or the segment is longer than it takes.
        """
        check_length(len(audio))
        if cancel.cancelled or not holds_sound(audio):
            return Transcript("", self._language, None, self.name)
        stream = self.listen(_ignore)
        try:
            stream.feed(audio)
            return stream.finish(cancel)
        finally:
            stream.close()

    def close(self) -> None:
        """Give up every segment and close the sockets; idempotent."""
        self._connection.close()

    def _hints(self) -> dict[str, object]:
        return hints_for(self._connection.server.model, self._language, self._phrases, self._words)

    async def _reserve(self) -> None:
        await self._connection.sessions.reserve(self._hints(), self._deadlines.first_s)


class RealtimeStream:
    """One segment on its way; see :class:`RecognizerStream`."""

    def __init__(
        self,
        connection: RealtimeConnection,
        hints: dict[str, object],
        language: str,
        deadlines: Deadlines,
        heard: Callable[[Transcript], None],
    ) -> None:
        import soxr

        self._connection = connection
        self._hints = hints
        self._language = language
        self._deadlines = deadlines
        self._heard = heard
        self._telling = threading.RLock()  # a partial transcript may make its hearer close this
        self._over = False
        self._text = ""
        self._resample = soxr.ResampleStream(SAMPLERATE, SOCKET_SAMPLERATE, 1, dtype="float32")
        self._frames = 0
        self._loud = False
        self._held: list[Mono] = []
        # of the loop alone
        self._sound = bytearray()
        self._ended = False
        self._more = asyncio.Event()
        self._limit_s = 0.0
        self._whole = ""
        self._bill = connection.begin("asr")
        self._running = connection.start(self._converse)

    def feed(self, audio: Mono) -> None:
        """Take the next piece; nothing is sent before there is sound long enough for a word."""
        self._frames += len(audio)
        self._loud = self._loud or bool(len(audio) and np.abs(audio).max() > SILENCE)
        if self._running.over:  # it has failed, of which :meth:`finish` tells
            return
        self._held.append(audio)
        if self._frames > MAX_CLIP_S * SAMPLERATE:
            self._running.give_up()
        elif self._worth_sending:
            self._send(last=False)

    def finish(self, cancel: CancelToken) -> Transcript:
        """Say that the segment is over, and wait for its transcript.

        Raises
        ------
        BackendError
            The service has failed, or the segment is longer than it takes.
        """
        try:
            check_length(self._frames)
            if self._worth_sending:
                self._send(last=True)
                text = self._running.result(cancel)
                return self._transcript(self._text if text is None else text)
            return self._transcript("")
        finally:
            self.close()

    def close(self) -> None:
        """Give the segment up; its socket is closed if the transcript is not whole."""
        with self._telling:
            self._over = True
        self._running.give_up()

    @property
    def _worth_sending(self) -> bool:
        return self._loud and self._frames >= MIN_CLIP_S * SAMPLERATE

    def _transcript(self, text: str) -> Transcript:
        return Transcript(text.strip(), self._language, None, OPENAI.name)

    def _send(self, *, last: bool) -> None:
        held, self._held = self._held, []
        audio = np.concatenate(held) if held else np.zeros(0, np.float32)
        sound = to_int16(self._resample.resample_chunk(audio, last=last)).astype("<i2").tobytes()
        self._running.tell(self._take, sound, last)

    def _take(self, sound: bytes, last: bool) -> None:
        self._sound += sound
        self._ended = self._ended or last
        self._more.set()

    async def _converse(self) -> str:
        from websockets.exceptions import ConnectionClosed

        while not (self._sound or self._ended):
            await self._more.wait()
        with self._bill:
            try:
                return await self._once()
            except ConnectionClosed:
                if self._ended:
                    raise
            return await self._once()

    async def _once(self) -> str:
        async with self._connection.sessions.session(self._hints, self._deadlines.first_s) as session:
            async with self._limited() as limit:
                both = [asyncio.ensure_future(work(session, limit)) for work in (self._read, self._write)]
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
                finally:
                    for task in both:
                        task.cancel()
                    await asyncio.wait(both)
            for task in both:
                if not task.cancelled():
                    task.result()
            return self._whole

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[asyncio.Timeout]:
        """A time limit that begins when the segment is over."""
        try:
            async with asyncio.timeout(None) as limit:
                yield limit
        except TimeoutError:
            if not limit.expired():
                raise
            what = "stopped in the middle of an answer and was silent" if self._text else "gave no answer"
            message = f"{OPENAI.name} {what} for {self._limit_s:g} s"
            raise BackendTimeoutError(message, backend=OPENAI.name) from None

    async def _write(self, session: Session, limit: asyncio.Timeout) -> None:
        """Send what there is, and what comes, until the segment is over."""
        sent = 0
        while True:
            self._more.clear()
            sound, ended = bytes(self._sound[sent:]), self._ended
            if sound:
                await session.append(sound)
                sent += len(sound)
                self._bill.sounds(len(sound) / (2 * SOCKET_SAMPLERATE))
            if ended:
                self._wait_at_most(self._deadlines.first_s, limit)
                await session.commit()
                return
            await self._more.wait()

    async def _read(self, session: Session, limit: asyncio.Timeout) -> None:
        """Tell what is heard until it is whole."""
        text = ""
        async for words, whole in session.words(self._bill):
            self._bill.answered()
            if self._ended:
                self._wait_at_most(self._deadlines.next_s, limit)
            if whole and not self._ended:
                raise self._connection.service.garbled("it ends segments by itself")
            if whole:
                self._whole = words
                return
            text += words
            self._tell(text)

    def _wait_at_most(self, seconds: float, limit: asyncio.Timeout) -> None:
        self._limit_s = seconds
        limit.reschedule(asyncio.get_running_loop().time() + seconds)

    def _tell(self, text: str) -> None:
        with self._telling:
            if not self._over and text.strip() != self._text.strip():
                self._text = text
                self._heard(self._transcript(text))


def _ignore(transcript: Transcript) -> None:
    """Nobody wants to know before the end."""
