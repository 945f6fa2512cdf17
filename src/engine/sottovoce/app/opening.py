"""From settings to backends: which, with which of the settings, and in which order they stand in for one another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

from sottovoce.app.settings import Config, backend_list
from sottovoce.audio.resampler import Resampler
from sottovoce.speech.asr.base import Recognizer, StreamingRecognizer
from sottovoce.speech.embedding.base import Embedder
from sottovoce.speech.fallback.asr import recognizer_chain
from sottovoce.speech.fallback.health import Health
from sottovoce.speech.fallback.llm import FallbackGenerator
from sottovoce.speech.fallback.tts import Converter, FallbackSynthesizer
from sottovoce.speech.llm.base import Generator
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.registry import (
    Kind,
    describe,
    open_embedder,
    open_generator,
    open_recognizer,
    open_synthesizer,
)
from sottovoce.speech.rolling import RollingRecognizer
from sottovoce.speech.tts.base import Synthesizer


def settings_of(config: Config, kind: Kind, name: str, index: NotesIndex | None = None) -> dict[str, object]:
    """What of the settings a backend is opened with."""
    match kind:
        case "asr":
            return _recognizer_settings(config, name)
        case "llm":
            return _generator_settings(config, name, index)
        case "tts":
            return _synthesizer_settings(config, name)
        case "embedding":
            return _embedder_settings(config, name)
        case "aec":
            return {}


def open_recognizers(config: Config) -> tuple[list[Recognizer], Health | None]:
    """A recogniser for each worker; chains, and their health, if several backends are named."""
    names = backend_list(config.asr.backend)
    with _all_or_none() as opened:

        def open_one(name: str) -> Recognizer:
            return opened(open_recognizer(name, **settings_of(config, "asr", name)))

        if len(names) == 1:
            return [_listening(config, open_one(names[0])) for _ in range(config.asr.workers)], None
        health = Health("asr", names)
        chains = [recognizer_chain([open_one(name) for name in names], health) for _ in range(config.asr.workers)]
        return [_listening(config, chain) for chain in chains], health


def _listening(config: Config, recognizer: Recognizer) -> Recognizer:
    """One that hears what is being said, if it is to, made of one that does not if that costs nothing."""
    partials = config.asr.partials
    paid = any(describe("asr", name).sends for name in backend_list(config.asr.backend))
    if partials == "off" or isinstance(recognizer, StreamingRecognizer) or (partials == "auto" and paid):
        return recognizer
    return RollingRecognizer(recognizer)


def open_thinking(config: Config, index: NotesIndex | None) -> tuple[Generator, Health | None]:
    """The generator; a chain, and its health, if several backends are named."""
    names = backend_list(config.llm.backend)
    with _all_or_none() as opened:
        each = [opened(open_generator(name, **settings_of(config, "llm", name, index))) for name in names]
        if len(each) == 1:
            return each[0], None
        health = Health("llm", names)
        return FallbackGenerator(each, health), health


def open_speaking(config: Config) -> tuple[Synthesizer, Health | None]:
    """The synthesiser; a chain, and its health, if several backends are named."""
    names = backend_list(config.tts.backend)
    with _all_or_none() as opened:
        each = [opened(open_synthesizer(name, **settings_of(config, "tts", name))) for name in names]
        if len(each) == 1:
            return each[0], None
        health = Health("tts", names)
        return FallbackSynthesizer(each, health, cast("type[Converter]", Resampler)), health


def configured_models(config: Config) -> list[tuple[str, str]]:
    """Who is paid, and for which model, if every backend that the settings name is called."""
    found = []
    for kind, names in (("asr", config.asr.backend), ("llm", config.llm.backend), ("tts", config.tts.backend)):
        for name in backend_list(names):
            settings = settings_of(config, kind, name)  # type: ignore[arg-type]
            if "model" in settings and describe(kind, name).sends:  # type: ignore[arg-type]
                host = urlsplit(str(settings.get("base_url") or "")).hostname
                found.append((host or name, str(settings["model"])))
    return list(dict.fromkeys(found))


def _recognizer_settings(config: Config, name: str) -> dict[str, object]:
    asr, openai, whisper = config.asr, config.openai, config.whisper
    language: dict[str, object] = {"language": asr.language}
    match name:
        case "openai":
            return {
                **language,
                "model": openai.asr_model,
                "base_url": openai.asr_base_url or openai.base_url,
                "key_file": openai.key_file,
                "realtime": openai.asr_realtime,
                "first_word_s": asr.first_word_s,
            }
        case "whisper":
            return {
                **language,
                "model": whisper.model,
                "device": whisper.device,
                "beam_size": whisper.beam_size,
                "threads": whisper.threads,
                "workers": asr.workers,
                "deadline_s": whisper.deadline_s,
            }
        case _:
            return language


def wearer_backend(config: Config) -> str:
    """The first embedder that the settings name and that is installed; if none is, the first one."""
    names = backend_list(config.speaker.backend)
    return next((name for name in names if not describe("embedding", name).missing), names[0])


def open_wearer_embedder(config: Config) -> Embedder:
    """The embedder that judges voices; if it is not installed, it says what it lacks."""
    name = wearer_backend(config)
    return open_embedder(name, **settings_of(config, "embedding", name))


def _embedder_settings(config: Config, name: str) -> dict[str, object]:
    speaker = config.speaker
    match name:
        case "ecapa":
            return {"model": speaker.ecapa_model, "device": speaker.device}
        case "onnx":
            return {"model": speaker.onnx_model, "threshold": speaker.onnx_threshold, "device": speaker.device}
        case _:
            return {}


def _synthesizer_settings(config: Config, name: str) -> dict[str, object]:
    tts, openai, google, silero = config.tts, config.openai, config.google, config.silero
    # a voice belongs to one synthesiser; those behind it take one that fits
    voice = tts.voice if name == backend_list(tts.backend)[0] else "auto"
    manner: dict[str, object] = {"voice": voice, "speed": tts.speed, "volume": tts.volume}
    match name:
        case "openai":
            return {
                **manner,
                "model": openai.tts_model,
                "base_url": openai.tts_base_url or openai.base_url,
                "key_file": openai.key_file,
                "first_sound_s": tts.first_sound_s,
            }
        case "google":
            return {
                **manner,
                "base_url": google.base_url,
                "key_file": google.key_file,
                "first_sound_s": tts.first_sound_s,
            }
        case "silero":
            return {
                **manner,
                "language": _answer_language(config),
                "ru_model": silero.ru_model,
                "en_model": silero.en_model,
                "samplerate": silero.samplerate,
                "folder": config.models.path,
                "deadline_s": silero.deadline_s,
            }
        case _:
            return manner


def _answer_language(config: Config) -> str:
    """The language that theses are expected in."""
    return config.asr.language if config.llm.language == "auto" else config.llm.language


def _generator_settings(config: Config, name: str, index: NotesIndex | None) -> dict[str, object]:
    llm, openai, gemini = config.llm, config.openai, config.gemini
    style: dict[str, object] = {
        "index": index,
        "form": llm.style,
        "temperature": llm.temperature,
        "max_tokens": llm.max_tokens,
        "first_token_s": llm.first_token_s,
        "stall_s": llm.stall_s,
    }
    match name:
        case "openai":
            base_url = openai.llm_base_url or openai.base_url
            model = _model(llm.style, openai.llm_model, openai.answer_model)
            return {**style, "model": model, "base_url": base_url, "key_file": openai.key_file}
        case "gemini":
            model = _model(llm.style, gemini.llm_model, gemini.answer_model)
            return {**style, "model": model, "base_url": gemini.base_url, "key_file": gemini.key_file}
        case _:
            return {"index": index, "max_thesis_s": config.notes.max_thesis_s, "speed": config.tts.speed}


def _model(style: str, llm_model: str, answer_model: str) -> str:
    return answer_model if style == "answer" and answer_model else llm_model


class _Closable(Protocol):
    def close(self) -> None: ...


_B = TypeVar("_B", bound=_Closable)


class _Opened:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, backend: _B) -> _B:
        self._stack.callback(backend.close)
        return backend


@contextmanager
def _all_or_none() -> Iterator[_Opened]:
    """If one backend cannot be opened, those that were are closed."""
    with ExitStack() as stack:
        yield _Opened(stack)
        stack.pop_all()
