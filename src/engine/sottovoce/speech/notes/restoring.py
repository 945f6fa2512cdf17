"""Any recogniser, with names, abbreviations and numbers of the notes put back into what it hears."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer, RecognizerStream, StreamingRecognizer, Transcript

Restore: TypeAlias = Callable[[str], str]


def restoring(recognizer: Recognizer, restore: Restore) -> Recognizer:
    """``recognizer`` with ``restore`` behind it; one that gives partial transcripts still gives them."""
    if isinstance(recognizer, StreamingRecognizer):
        return _StreamingRestoring(recognizer, restore)
    return _Restoring(recognizer, restore)


def _restored(transcript: Transcript, restore: Restore) -> Transcript:
    text = restore(transcript.text)
    return transcript if text == transcript.text else replace(transcript, text=text, heard=transcript.text)


class _Restoring:
    def __init__(self, recognizer: Recognizer, restore: Restore) -> None:
        self._recognizer = recognizer
        self._restore = restore

    @property
    def name(self) -> str:
        return self._recognizer.name

    @property
    def samplerate(self) -> int:
        return self._recognizer.samplerate

    def warm(self) -> None:
        self._recognizer.warm()

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        self._recognizer.adapt(phrases, words)

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        return _restored(self._recognizer.transcribe(audio, cancel), self._restore)

    def close(self) -> None:
        self._recognizer.close()


class _StreamingRestoring(_Restoring):
    def __init__(self, recognizer: StreamingRecognizer, restore: Restore) -> None:
        super().__init__(recognizer, restore)
        self._streaming = recognizer

    def listen(self, heard: Callable[[Transcript], None]) -> RecognizerStream:
        stream = self._streaming.listen(lambda transcript: heard(_restored(transcript, self._restore)))
        return _RestoringStream(stream, self._restore)


class _RestoringStream:
    def __init__(self, stream: RecognizerStream, restore: Restore) -> None:
        self._stream = stream
        self._restore = restore

    def feed(self, audio: Mono) -> None:
        self._stream.feed(audio)

    def finish(self, cancel: CancelToken) -> Transcript:
        return _restored(self._stream.finish(cancel), self._restore)

    def close(self) -> None:
        self._stream.close()
