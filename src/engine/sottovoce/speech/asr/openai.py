"""Recognition by OpenAI (`whisper-1` and its successors), or by a server that speaks its language."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Literal

from sottovoce.core.cancel import CancelToken
from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono
from sottovoce.speech.asr._openai_limits import SAMPLERATE, check_length, count, hints_for, holds_sound
from sottovoce.speech.asr._openai_realtime import LIVE, RealtimeRecognizer
from sottovoce.speech.asr._openai_socket import RealtimeConnection
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.openai_client import OpenAIConnection
from sottovoce.speech.remote.server import OPENAI, server_of
from sottovoce.speech.usage import Call

EXTRA = "openai"
PACKAGES = ("openai", "httpx2", "websockets")
SENDS = (
    "the sound of each segment that is taken for speech, and questions of your notes as a hint, go to api.openai.com, "
    "or to the server that openai.asr_base_url names"
)
MODEL_KEY = "openai.asr_model"

#: Models whose names begin so answer word by word, others (whisper-1, and those of other servers) at the end.
STREAMED = "gpt-"


class OpenAIRecognizer:
    """Sends each segment, when it is over, to the transcription service.

    The answers of the later models are streamed: cancelled in the middle, what has come is the transcript.

    Parameters
    ----------
    connection : OpenAIConnection
        The server and its model.
    language : str
        ISO 639-1 code of what is spoken.
    deadlines : Deadlines
        To the first words, and between words.
    """

    def __init__(self, connection: OpenAIConnection, *, language: str, deadlines: Deadlines) -> None:
        self._connection = connection
        self._language = language
        self._deadlines = deadlines
        self._phrases: tuple[str, ...] = ()
        self._words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return OPENAI.name

    @property
    def samplerate(self) -> int:
        return SAMPLERATE

    def warm(self) -> None:
        """Open a connection; see :meth:`Connection.warm`."""
        self._connection.warm()

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Send these as a hint, as many as are read."""
        self._phrases, self._words = tuple(phrases), tuple(words)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """Recognise one segment; nothing is sent of one that is too short for a word, or silent.

        Raises
        ------
        BackendError
            The service failed, or the segment is longer than it takes.
        """
        check_length(len(audio))
        text = ""
        if holds_sound(audio):
            _ = self._connection.client  # in this thread: its import takes long
            call = self._connection.begin("asr")
            call.sounds(len(audio) / SAMPLERATE)
            pieces = self._connection.stream(lambda: self._text_of(_wav(audio), call), self._deadlines, cancel)
            text = "".join(pieces)
        return Transcript(text.strip(), self._language, None, self.name)

    def close(self) -> None:
        """Give up the segment in work and close the connection; idempotent."""
        self._connection.close()

    async def _text_of(self, clip: bytes, call: Call) -> AsyncGenerator[str, None]:
        connection = self._connection
        create = connection.client.audio.transcriptions.create
        file, model = ("segment.wav", clip, "audio/wav"), connection.server.model
        hints: dict[str, Any] = hints_for(model, self._language, self._phrases, self._words)
        with call:
            if not model.startswith(STREAMED):
                whole = await create(file=file, model=model, **hints)
                call.answered()
                yield whole.text
                return
            finished = False
            stream = await create(file=file, model=model, stream=True, **hints)
            call.answered()
            async with stream:
                async for event in stream:
                    if event.type == "transcript.text.delta":
                        yield event.delta
                    elif event.type == "transcript.text.done":
                        finished = True
                        count(event.usage, call)
            if not finished:
                raise connection.service.cut()


def open(
    *,
    model: str = "gpt-4o-mini-transcribe",
    base_url: str = "",
    key_file: Path | str | None = None,
    language: str = "en",
    realtime: Literal["auto", "on", "off"] = "auto",
    first_word_s: float = 4.0,
    stall_s: float = 2.0,
) -> OpenAIRecognizer | RealtimeRecognizer:
    """The recogniser over the transcription service of a server; see :class:`OpenAIRecognizer`, and
    :class:`RealtimeRecognizer` for models that write while they listen.
    """
    server = server_of(OPENAI, base_url, model, MODEL_KEY, key_file)
    deadlines = Deadlines(first_word_s, stall_s)
    if realtime == "on" or (realtime == "auto" and model.startswith(LIVE)):
        return RealtimeRecognizer(RealtimeConnection(server), language=language, deadlines=deadlines)
    return OpenAIRecognizer(OpenAIConnection(server), language=language, deadlines=deadlines)


def check(*, model: str, base_url: str, key_file: Path | str | None, **ignored: object) -> str:
    """The model, where it is, and where its key comes from; nothing is called."""
    return server_of(OPENAI, base_url, model, MODEL_KEY, key_file).describe()


def _wav(audio: Mono) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLERATE, 0, "NONE", ""))
        file.writeframes(to_int16(audio).tobytes())
    return out.getvalue()
