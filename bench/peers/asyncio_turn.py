"""The turn path once more, with asyncio in the place of threads: same segmenter, same voice, same delays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import numpy as np

from bench.peers import script
from bench.peers.emulated import Detector, Rig
from sottovoce.assistant.theses import ThesisLines
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import Segment, Segmenter, SegmenterSettings

_Chunks = asyncio.Queue[Mono | None]


async def answer(rig: Rig, asr_s: float, settings: SegmenterSettings) -> None:
    """Hear the question, and speak its answer: theses synthesised side by side, and played in order."""
    await _heard(rig, settings)
    await asyncio.sleep(asr_s)
    theses: asyncio.Queue[_Chunks | None] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_narrate(rig, theses))
        lines = ThesisLines(script.QUESTION)
        async for token in _tokens():
            for text in lines.feed(token):
                chunks: _Chunks = asyncio.Queue()
                tasks.create_task(_synthesize(text, chunks))
                theses.put_nowait(chunks)
        theses.put_nowait(None)


async def _heard(rig: Rig, settings: SegmenterSettings) -> Segment:
    segmenter = Segmenter(Detector(), settings)
    while True:
        await asyncio.sleep(max(0.0, rig.ear.due_s - time.monotonic()))
        for event in segmenter.feed(rig.ear.hand_over()):
            if isinstance(event, Segment):
                return event


async def _tokens() -> AsyncIterator[str]:
    since_s = time.monotonic()
    for number, token in enumerate(script.TOKENS):
        due_s = since_s + script.FIRST_TOKEN_S + number * script.TOKEN_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield token


async def _synthesize(text: str, chunks: _Chunks) -> None:
    since_s = time.monotonic()
    chunk = np.full(round(script.CHUNK_S * script.SAMPLERATE), 0.25, np.float32)
    for number in range(script.chunks(text)):
        due_s = since_s + script.TTS_FIRST_S + number * script.CHUNK_EVERY_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        chunks.put_nowait(chunk)
    chunks.put_nowait(None)


async def _narrate(rig: Rig, theses: asyncio.Queue[_Chunks | None]) -> None:
    while (chunks := await theses.get()) is not None:
        while (chunk := await chunks.get()) is not None:
            rig.voice.write(chunk)  # there is room for all of it
    rig.voice.end()
