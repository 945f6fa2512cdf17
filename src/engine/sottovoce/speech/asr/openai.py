"""Recognition by OpenAI (`whisper-1` and its successors), or by a server that speaks its language."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.openai_client import OpenAIConnection
from sottovoce.speech.remote.server import OPENAI, server_of
from sottovoce.speech.usage import Call

if TYPE_CHECKING:
    from openai.types.audio.transcription_text_done_event import Usage as TranscriptionUsage

EXTRA = "openai"
PACKAGES = ("openai", "httpx2")
SENDS = (
    "the sound of each segment that is taken for speech, and questions of your notes as a hint, go to api.openai.com, "
    "or to the server that openai.asr_base_url names"
)
MODEL_KEY = "openai.asr_model"

SAMPLERATE = 16_000

#: Shorter clips (s) the service refuses, and they hold no word; longer ones go beyond its 25 MB.
MIN_CLIP_S, MAX_CLIP_S = 0.1, 780.0

#: A clip with no sample above this is silence, of which Whisper's models make words.
SILENCE = 1e-4

#: Characters of the hint; the models read the last 224 tokens of it.
MAX_HINT_CHARS = 600

#: Words of the notes among them; the rest is for questions.
MAX_HINT_WORDS = 20

#: Models whose names begin so answer word by word, others (whisper-1, and those of other servers) at the end.
STREAMED = "gpt-"


class OpenAIRecognizer:
    """Sends each segment to the transcription service.

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
        self._hint = ""

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
        """Send these as a hint, as many as are read: words first, since what is too much for a model is the first."""
        hint = ""
        for phrase in (*(f"{word}," for word in words[:MAX_HINT_WORDS]), *phrases):
            if len(hint) + len(phrase) > MAX_HINT_CHARS:
                break
            hint += f"{phrase} "
        self._hint = hint.strip()

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """Recognise one segment; nothing is sent of one that is too short for a word, or silent.

        Raises
        ------
        BackendError
            The service failed, or the segment is longer than it takes.
        """
        length_s = len(audio) / SAMPLERATE
        if length_s > MAX_CLIP_S:
            raise BackendError(
                f"a clip of {length_s:.0f} s is longer than {self.name} takes ({MAX_CLIP_S:.0f} s)",
                backend=self.name,
                hint="set vad.max_segment_s to cut it",
            )
        text = ""
        if length_s >= MIN_CLIP_S and np.abs(audio).max() > SILENCE:
            _ = self._connection.client  # in this thread: its import takes long
            call = self._connection.begin("asr")
            call.sounds(length_s)
            pieces = self._connection.stream(lambda: self._words(_wav(audio), call), self._deadlines, cancel)
            text = "".join(pieces)
        return Transcript(text.strip(), self._language, None, self.name)

    def close(self) -> None:
        """Give up the segment in work and close the connection; idempotent."""
        self._connection.close()

    async def _words(self, clip: bytes, call: Call) -> AsyncGenerator[str, None]:
        connection = self._connection
        create = connection.client.audio.transcriptions.create
        file, model = ("segment.wav", clip, "audio/wav"), connection.server.model
        with call:
            if not model.startswith(STREAMED):
                whole = await create(file=file, model=model, language=self._language, prompt=self._hint)
                call.answered()
                yield whole.text
                return
            finished = False
            stream = await create(file=file, model=model, language=self._language, prompt=self._hint, stream=True)
            call.answered()
            async with stream:
                async for event in stream:
                    if event.type == "transcript.text.delta":
                        yield event.delta
                    elif event.type == "transcript.text.done":
                        finished = True
                        _count(event.usage, call)
            if not finished:
                raise connection.service.cut()


def open(
    *,
    model: str = "gpt-4o-mini-transcribe",
    base_url: str = "",
    key_file: Path | str | None = None,
    language: str = "en",
    first_word_s: float = 4.0,
    stall_s: float = 2.0,
) -> OpenAIRecognizer:
    """The recogniser over the transcription service of a server; see :class:`OpenAIRecognizer`."""
    server = server_of(OPENAI, base_url, model, MODEL_KEY, key_file)
    return OpenAIRecognizer(OpenAIConnection(server), language=language, deadlines=Deadlines(first_word_s, stall_s))


def check(*, model: str, base_url: str, key_file: Path | str | None, **ignored: object) -> str:
    """The model, where it is, and where its key comes from; nothing is called."""
    return server_of(OPENAI, base_url, model, MODEL_KEY, key_file).describe()


def _count(usage: TranscriptionUsage | None, call: Call) -> None:
    """Take over what the service has counted, if it says so."""
    sent = getattr(usage, "input_tokens", None)
    sound = getattr(getattr(usage, "input_token_details", None), "audio_tokens", None)
    call.told(
        input_tokens=sent,
        audio_tokens=sent if sound is None else sound,
        output_tokens=getattr(usage, "output_tokens", None),
    )


def _wav(audio: Mono) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLERATE, 0, "NONE", ""))
        file.writeframes(to_int16(audio).tobytes())
    return out.getvalue()
