"""A voice of Google Cloud: the newest ones (Chirp) are streamed, the others (Wavenet and its kind) come whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.remote.google_client import GoogleConnection, locale_of
from sottovoce.speech.remote.network import Deadlines
from sottovoce.speech.remote.server import GOOGLE, Server, server_of
from sottovoce.speech.tts._pcm import chunks_of, pieces_of_wav, speakable, within_bytes
from sottovoce.speech.usage import Call

if TYPE_CHECKING:
    from google.cloud.texttospeech import StreamingSynthesizeRequest

EXTRA = "google"
PACKAGES = ("google.cloud.texttospeech", "grpc")
SENDS = "the text of each thesis goes to texttospeech.googleapis.com, or to the server that google.base_url names"
MODEL_KEY = "tts.voice"

#: What is asked for (Hz), mono int16; the rate at which Chirp voices are made.
SAMPLERATE = 24_000

#: The voices taken for "auto"; for other languages the service takes one itself.
VOICES = {"en": "en-US-Wavenet-D", "ru": "ru-RU-Wavenet-D"}

#: Voices with this in their names are streamed; of the others the service refuses to.
STREAMED = "-Chirp"

#: Chirp's voices have the same names in all languages, behind this.
_MANY_LANGUAGES = "-Chirp3-HD-"

#: Languages that Google's names call otherwise than ISO 639-1.
_LANGUAGES = {"cmn": "zh", "yue": "zh", "fil": "tl"}

#: Longer texts the service refuses (bytes of UTF-8).
MAX_BYTES = 5000

#: The paces that the service takes.
SLOWEST, FASTEST = 0.25, 2.0


class GoogleSynthesizer:
    """Speaks by Google Cloud Text-to-Speech. Any number of texts at once.

    Parameters
    ----------
    connection : GoogleConnection
        The server.
    voice : str
        A voice by Google's name for it, or "auto". It speaks its own language; for another one a voice is taken that
        speaks that.
    speed : float
        1 is the voice's own pace; at most 2.
    volume : float
        1 is the voice's own loudness; what it makes too loud is clipped.
    deadlines : Deadlines
        To the first sound, and between pieces of it.
    """

    def __init__(
        self, connection: GoogleConnection, *, voice: str, speed: float, volume: float, deadlines: Deadlines
    ) -> None:
        self._connection = connection
        self._voice = voice
        self._speed = min(max(speed, SLOWEST), FASTEST)
        self._volume = volume
        self._deadlines = deadlines

    @property
    def name(self) -> str:
        return GOOGLE.name

    @property
    def samplerate(self) -> int:
        return SAMPLERATE

    def warm(self) -> None:
        """Open a connection, and ask whether there is such a voice; see :meth:`Connection.warm`."""
        self._connection.warm()

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        """Stream the speech of ``text``; of voices that are not streamed it begins when it is whole."""
        said = within_bytes(speakable(text), MAX_BYTES)
        if not said or cancel.cancelled:
            return
        _ = self._connection.client  # in this thread: its import takes long
        voice, locale = voice_for(self._voice, language)
        make = self._streamed if STREAMED in voice else self._whole
        call = self._connection.begin("tts", voice)
        call.speaks(said)
        pieces = self._connection.stream(lambda: make(said, voice, locale, call), self._deadlines, cancel)
        yield from chunks_of(pieces, self._volume, self._connection.service.cut, cancel)

    def close(self) -> None:
        """Silence every text and close the connection; idempotent."""
        self._connection.close()

    async def _whole(self, text: str, voice: str, locale: str, call: Call) -> AsyncGenerator[bytes, None]:
        from google.cloud import texttospeech as api

        connection = self._connection
        with call:
            answer = await connection.client.synthesize_speech(
                input=api.SynthesisInput(text=text),
                voice=api.VoiceSelectionParams(name=voice, language_code=locale),
                audio_config=api.AudioConfig(
                    audio_encoding=api.AudioEncoding.LINEAR16, sample_rate_hertz=SAMPLERATE, speaking_rate=self._speed
                ),
                retry=None,
                timeout=None,
                metadata=connection.metadata,
            )
            call.answered()
            try:
                pieces = list(pieces_of_wav(answer.audio_content, SAMPLERATE))
            except ValueError:
                raise connection.service.garbled("no sound") from None
            except EOFError:
                raise connection.service.cut() from None
            if not pieces:
                raise connection.service.garbled("no sound")
            for piece in pieces:
                call.sounds(len(piece) / (2 * SAMPLERATE))
                yield piece

    async def _streamed(self, text: str, voice: str, locale: str, call: Call) -> AsyncGenerator[bytes, None]:
        connection, any_sound = self._connection, False
        requests = self._requests(text, voice, locale)
        with call:
            answers = await connection.client.streaming_synthesize(
                requests, retry=None, timeout=None, metadata=connection.metadata
            )
            try:
                async for answer in answers:
                    call.answered()
                    if answer.audio_content:
                        any_sound = True
                        call.sounds(len(answer.audio_content) / (2 * SAMPLERATE))
                        yield answer.audio_content
            finally:
                answers.cancel()  # type: ignore[attr-defined]  # else the call lives on until it is collected
        if not any_sound:
            raise connection.service.garbled("no sound")

    async def _requests(self, text: str, voice: str, locale: str) -> AsyncIterator[StreamingSynthesizeRequest]:
        from google.cloud import texttospeech as api

        yield api.StreamingSynthesizeRequest(
            streaming_config=api.StreamingSynthesizeConfig(
                voice=api.VoiceSelectionParams(name=voice, language_code=locale),
                streaming_audio_config=api.StreamingAudioConfig(
                    audio_encoding=api.AudioEncoding.PCM, sample_rate_hertz=SAMPLERATE, speaking_rate=self._speed
                ),
            )
        )
        yield api.StreamingSynthesizeRequest(input=api.StreamingSynthesisInput(text=text))


def voice_for(voice: str, language: str) -> tuple[str, str]:
    """The voice that speaks a language, and what Google calls that language.

    Parameters
    ----------
    voice : str
        The voice that is wished for, or "auto".
    language : str
        ISO 639-1 code.
    """
    own = locale_of(voice)
    spoken = own.partition("-")[0]
    if voice != "auto" and (not own or _LANGUAGES.get(spoken, spoken) == language):
        return voice, own or language
    fitting = VOICES.get(language, "")
    if fitting and _MANY_LANGUAGES in voice:
        fitting = locale_of(fitting) + voice.removeprefix(own)
    return fitting, locale_of(fitting) or language


def open(
    *,
    base_url: str = "",
    key_file: Path | str | None = None,
    voice: str = "auto",
    speed: float = 1.35,
    volume: float = 1.0,
    first_sound_s: float = 2.0,
    stall_s: float = 2.0,
) -> GoogleSynthesizer:
    """The synthesiser over Google's service, or a server that speaks its language; see :class:`GoogleSynthesizer`."""
    connection = GoogleConnection(_server(base_url, key_file, voice))
    return GoogleSynthesizer(
        connection, voice=voice, speed=speed, volume=volume, deadlines=Deadlines(first_sound_s, stall_s)
    )


def check(*, base_url: str, key_file: Path | str | None, voice: str, **ignored: object) -> str:
    """The voice, where it is, and where its key comes from; nothing is called."""
    return _server(base_url, key_file, voice).describe()


def _server(base_url: str, key_file: Path | str | None, voice: str) -> Server:
    return server_of(GOOGLE, base_url, voice, MODEL_KEY, key_file)
