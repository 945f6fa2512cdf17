"""A voice of OpenAI, or of a server that speaks its language; streamed, so that it begins before it is whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.openai_client import OpenAIConnection
from sottovoce.speech.remote.server import OPENAI, server_of
from sottovoce.speech.tts._pcm import chunks_of, speakable
from sottovoce.speech.usage import Call

EXTRA = "openai"
PACKAGES = ("openai", "httpx2")
SENDS = "the text of each thesis goes to api.openai.com, or to the server that openai.tts_base_url names"
MODEL_KEY = "openai.tts_model"

#: What the service sends when asked for "pcm": mono, int16, little-endian, at this samplerate (Hz).
SAMPLERATE = 24_000

#: The voice taken for "auto"; every voice speaks every language.
VOICE = "alloy"

#: Longer texts the service refuses (characters).
MAX_CHARS = 4096

#: How files of sound begin: some servers give one, whatever they are asked for, and its header would be heard.
_CONTAINERS = (b"RIFF", b"ID3", b"OggS", b"fLaC")

#: A thesis of which enough was heard may still end by itself within so many seconds.
_LINGER_S = 0.2


class OpenAISynthesizer:
    """Speaks by the speech service. Any number of texts at once.

    Parameters
    ----------
    connection : OpenAIConnection
        The server and its model.
    voice : str
        A voice of the model, or "auto".
    speed : float
        1 is the voice's own pace; not every model heeds it.
    volume : float
        1 is the voice's own loudness; what it makes too loud is clipped.
    deadlines : Deadlines
        To the first sound, and between pieces of it.
    """

    def __init__(
        self, connection: OpenAIConnection, *, voice: str, speed: float, volume: float, deadlines: Deadlines
    ) -> None:
        self._connection = connection
        self._voice = VOICE if voice == "auto" else voice
        self._speed = speed
        self._volume = volume
        self._deadlines = deadlines

    @property
    def name(self) -> str:
        return OPENAI.name

    @property
    def samplerate(self) -> int:
        return SAMPLERATE

    def warm(self) -> None:
        """Open a connection; see :meth:`Connection.warm`."""
        self._connection.warm()

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        """Stream the speech of ``text``; its language is found out by the model."""
        said = speakable(text)[:MAX_CHARS]
        if not said:
            return
        _ = self._connection.client  # in this thread: its import takes long
        call = self._connection.begin("tts")
        call.speaks(said)
        pieces = self._connection.stream(lambda: self._bytes(said, call), self._deadlines, cancel, linger_s=_LINGER_S)
        yield from chunks_of(pieces, self._volume, self._connection.service.cut, cancel)

    def close(self) -> None:
        """Silence every text and close the connections; idempotent."""
        self._connection.close()

    async def _bytes(self, text: str, call: Call) -> AsyncGenerator[bytes, None]:
        connection = self._connection
        asked = connection.client.audio.speech.with_streaming_response.create(
            model=connection.server.model, voice=self._voice, input=text, response_format="pcm", speed=self._speed
        )
        any_sound = False
        with call:
            async with asked as response:
                call.answered()
                kind = response.headers.get("content-type", "")
                if kind.startswith(("text/", "application/json")):
                    raise connection.service.garbled("no sound")
                async for piece in response.iter_bytes():
                    if not any_sound and piece.startswith(_CONTAINERS):
                        raise connection.service.garbled("a file in the place of samples")
                    any_sound = True
                    call.sounds(len(piece) / (2 * SAMPLERATE))
                    yield piece
            if not any_sound:
                raise connection.service.garbled("no sound")


def open(
    *,
    model: str = "tts-1",
    base_url: str = "",
    key_file: Path | str | None = None,
    voice: str = "auto",
    speed: float = 1.35,
    volume: float = 1.0,
    first_sound_s: float = 2.0,
    stall_s: float = 2.0,
) -> OpenAISynthesizer:
    """The synthesiser over the speech service of a server; see :class:`OpenAISynthesizer`."""
    server = server_of(OPENAI, base_url, model, MODEL_KEY, key_file)
    deadlines = Deadlines(first_sound_s, stall_s)
    return OpenAISynthesizer(OpenAIConnection(server), voice=voice, speed=speed, volume=volume, deadlines=deadlines)


def check(*, model: str, base_url: str, key_file: Path | str | None, **ignored: object) -> str:
    """The model, where it is, and where its key comes from; nothing is called."""
    return server_of(OPENAI, base_url, model, MODEL_KEY, key_file).describe()
