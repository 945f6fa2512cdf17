"""pipecat as a peer, in an environment of its own: reads "ASR_S PHASE_S" lines, prints when the answer was heard.

As it ships, but for the services, which are the script's: the detector hears the same speech, with pipecat's own 0.2 s
of silence; the turn analyser, whose model would need a voice, says at once that the question is complete; and the first
sample counts when the synthesiser has given it, before any transport. All three are in pipecat's favour. With
``--streaming`` its recogniser tells each word as it is said; what is made of that is left to pipecat as it ships.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from loguru import logger
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, BaseTurnParams, EndOfTurnState
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from bench.peers import script

BLOCK_S = 0.02
#: Heard before a question, and after its answer, so that one is over before the next.
SETTLE_S = 1.2


class Recognizer(SegmentedSTTService):
    delay_s = 0.0

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        await asyncio.sleep(self.delay_s)
        yield TranscriptionFrame(script.QUESTION, "other", "")


class StreamingRecognizer(STTService):
    """Tells each word at once, and the final transcript ``delay_s`` after the last sound."""

    delay_s = 0.0
    _heard = np.zeros(0, np.int16)
    _end_s = float("inf")

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        block = np.frombuffer(audio, np.int16)
        now_s = time.monotonic()
        if block.any():
            before = script.understood(self._heard, script.QUESTION)
            self._heard = np.concatenate([self._heard, block])
            self._end_s = now_s - (len(block) - 1 - int(np.flatnonzero(block)[-1])) / script.SAMPLERATE
            words = script.understood(self._heard, script.QUESTION)
            if words != before:
                yield InterimTranscriptionFrame(words, "other", "")
        elif now_s + BLOCK_S >= self._end_s + self.delay_s:
            await asyncio.sleep(max(0.0, self._end_s + self.delay_s - now_s))
            self._heard, self._end_s = self._heard[:0], float("inf")
            yield TranscriptionFrame(script.QUESTION, "other", "", finalized=True)


class Generator(LLMService):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        since_s = time.monotonic()
        for number, token in enumerate(script.TOKENS):
            due_s = since_s + script.FIRST_TOKEN_S + number * script.TOKEN_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self.push_frame(LLMTextFrame(token))
        await self.push_frame(LLMFullResponseEndFrame())


class Synthesizer(TTSService):
    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame, None]:
        since_s = time.monotonic()
        chunk = bytes(2 * round(script.CHUNK_S * self.sample_rate))
        for number in range(script.chunks(text)):
            due_s = since_s + script.TTS_FIRST_S + number * script.CHUNK_EVERY_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            yield TTSAudioRawFrame(chunk, self.sample_rate, 1, context_id=context_id)


class Detector(VADAnalyzer):
    def num_frames_required(self) -> int:
        return 512

    def voice_confidence(self, buffer: bytes) -> float:
        return float(script.is_speech(np.frombuffer(buffer, np.int16).astype(np.float32)))


class Complete(BaseTurnAnalyzer):
    """Says of every silence that the question is over."""

    @property
    def speech_triggered(self) -> bool:
        return False

    @property
    def params(self) -> BaseTurnParams:
        return BaseTurnParams()

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, Any]:
        return EndOfTurnState.COMPLETE, None

    def clear(self) -> None: ...


class Listener(FrameProcessor):
    """The wearer's ear."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: asyncio.Future[float] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame) and self.heard is not None and not self.heard.done():
            self.heard.set_result(time.monotonic())
        await self.push_frame(frame, direction)


async def ask(worker: PipelineWorker, listener: Listener, question: script.Spoken) -> float:
    """Ask at the pace of time; milliseconds from the true end of the question to the first sample."""
    pcm = (question.audio * 32767).astype(np.int16)
    frames = round(BLOCK_S * script.SAMPLERATE)
    listener.heard = asyncio.get_running_loop().create_future()
    start_s, number, until_s = time.monotonic(), 0, float("inf")
    while time.monotonic() < until_s:
        block = pcm[number * frames : (number + 1) * frames]
        block = np.pad(block, (0, frames - len(block)))
        number += 1
        await asyncio.sleep(max(0.0, start_s + number * BLOCK_S - time.monotonic()))
        await worker.queue_frame(InputAudioRawFrame(block.tobytes(), script.SAMPLERATE, 1))
        if until_s == float("inf") and (listener.heard.done() or number * BLOCK_S > 20.0):
            until_s = time.monotonic() + SETTLE_S
    return 1000.0 * (listener.heard.result() - start_s - question.end_s)


async def serve(recognizer: Recognizer | StreamingRecognizer) -> None:
    """Answer the lines of standard input until it ends."""
    listener = Listener()
    stop = [TurnAnalyzerUserTurnStopStrategy(turn_analyzer=Complete())]
    aggregators = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=Detector(params=VADParams(min_volume=0.0)), user_turn_strategies=UserTurnStrategies(stop=stop)
        ),
    )
    synthesizer = Synthesizer(push_start_frame=True, push_stop_frames=True, sample_rate=script.SAMPLERATE)
    parts = [recognizer, aggregators.user(), Generator(), synthesizer, listener, aggregators.assistant()]
    worker = PipelineWorker(
        Pipeline(parts),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
        params=PipelineParams(audio_in_sample_rate=script.SAMPLERATE, audio_out_sample_rate=script.SAMPLERATE),
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(*_: object) -> None:
        started.set()

    runner = WorkerRunner()
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await started.wait()
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asr_s, phase_s = map(float, line.split())
        recognizer.delay_s = asr_s
        print(json.dumps({"first_ms": await ask(worker, listener, script.spoken(phase_s))}), flush=True)
    await worker.cancel()
    await running


if __name__ == "__main__":
    logger.remove()
    kind = StreamingRecognizer if "--streaming" in sys.argv else Recognizer
    asyncio.run(serve(kind(ttfs_p99_latency=1.0)))
