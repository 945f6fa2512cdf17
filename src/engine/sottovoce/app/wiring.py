"""The only place that chooses backends: from settings to loaded parts, and from parts to a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sottovoce.app.echo import open_cleaner
from sottovoce.app.inputs import DECISIONS, AmplifiedInput, ConditionedInput, MicrophoneInput
from sottovoce.app.opening import open_recognizers, open_speaking, open_thinking
from sottovoce.app.purse import Purse
from sottovoce.app.settings import Config, backend_list
from sottovoce.app.two_ears import PairedEars
from sottovoce.assistant.controls import Mute
from sottovoce.assistant.ears import SecondEar
from sottovoce.assistant.notices import BackendChanged, BackendFailed, Notice
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.assistant.ports import AudioInput, Observer, VoiceOutput
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.loopback import Loopback, find_loopback
from sottovoce.audio.output import SleepPolicy
from sottovoce.audio.player import Player
from sottovoce.audio.portaudio import choose_way
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.reflex import Reflex
from sottovoce.audio.source import PlayerSource
from sottovoce.core.errors import BackendError, NotesError
from sottovoce.core.units import db_to_gain
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.fallback.health import Changed, Health
from sottovoce.speech.llm.base import Generator
from sottovoce.speech.noise import NoiseSuppressor
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.note import Notes, NotesWarning
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.notes.restoring import restoring
from sottovoce.speech.notes.vocabulary import vocabulary
from sottovoce.speech.notes.watching import NotesWatch
from sottovoce.speech.segmenter import Segmenter, SegmenterSettings
from sottovoce.speech.speaker import AlwaysWearer, NotEnrolled, SpeakerVerifier
from sottovoce.speech.tts.base import Synthesizer
from sottovoce.speech.vad import decision_s, open_vad

#: The samplerate (Hz) at which the assistant listens.
EAR_SAMPLERATE = 16_000

#: Channels that are opened, where the device has them, so that one that is dead is noticed.
EAR_CHANNELS = 2

#: What is held of what plays (s), for the second ear to know our own voice by.
TAP_S = 4.0

#: Speech that must lie ready (s) before it sounds, so that a busy machine does not cut the first syllable. Synthesis is
#: faster than speech, and what is shorter plays at once.
VOICE_PREBUFFER_S = 0.1

#: Frames of a block unless the settings say otherwise.
BLOCKSIZE = 256

#: The samplerate (Hz) at which it speaks, whatever the voice's own is.
PLAYER_SAMPLERATE = 48_000


@dataclass(frozen=True, slots=True)
class Backends:
    """Everything heavy, loaded once and used by one pipeline after another."""

    recognizers: Sequence[Recognizer]
    generator: Generator
    synthesizer: Synthesizer
    index: NotesIndex
    questions: tuple[str, ...]
    warnings: tuple[NotesWarning, ...]
    chains: tuple[Health, ...]
    watch: NotesWatch | None = None

    def close(self) -> None:
        if self.watch is not None:
            self.watch.close()
        for recognizer in self.recognizers:
            recognizer.close()
        self.generator.close()
        self.synthesizer.close()
        self.index.close()


def open_backends(config: Config, say: Callable[[str], None]) -> Backends:
    """Read the notes and load every backend, at the same time where one does not need the other.

    Parameters
    ----------
    config : Config
        Which backends, and their settings.
    say : callable
        Told, in a few words and from any thread, what has been loaded.

    Raises
    ------
    NotesError
        No notes are given, or they cannot be read.
    BackendError
        A backend cannot be loaded, or its extra is not installed.
    """
    path = config.notes.path
    if path is None and "notes" in backend_list(config.llm.backend):
        raise NotesError(
            "no notes are given to answer from",
            path=Path(),
            hint="name a folder of Markdown files with --notes DIR, or set notes.path",
        )
    with ExitStack() as stack, ThreadPoolExecutor(thread_name_prefix="sottovoce-load") as pool:
        recognizers, hearing_health = open_recognizers(config)
        for recognizer in recognizers:
            stack.callback(recognizer.close)
        synthesizer, speaking_health = open_speaking(config)
        stack.callback(synthesizer.close)
        voice = pool.submit(_warm, synthesizer, "voice", say)
        watch = NotesWatch(path) if path is not None and config.notes.reload else None
        notes = read_notes(path) if path is not None else Notes(())
        index = stack.enter_context(closing(NotesIndex(notes, min_confidence=config.notes.min_confidence)))
        if config.notes.restore:
            recognizers = [restoring(recognizer, lambda text: index.restore(text).text) for recognizer in recognizers]
        say(f"{len(notes.notes)} notes")

        generator, thinking_health = open_thinking(config, index if path is not None else None)
        stack.callback(generator.close)
        generator.warm()
        questions = index.questions()
        hearing = [pool.submit(_warm_recognizer, recognizer, index) for recognizer in recognizers]
        for future in hearing:
            future.result()
        say("recogniser")
        voice.result()
        if watch is not None:
            watch.start(partial(_renew, index, recognizers))
        stack.pop_all()
    chains = tuple(health for health in (hearing_health, thinking_health, speaking_health) if health is not None)
    return Backends(recognizers, generator, synthesizer, index, questions, notes.warnings, chains, watch)


def open_player(config: Config, *, rests: bool = False) -> Player:
    """The output that the settings name; not started yet. Whether it ``rests`` while nothing sounds."""
    audio = config.audio
    choose_way(audio.portaudio)
    return Player(
        PLAYER_SAMPLERATE,
        2,
        device=audio.output,
        blocksize=BLOCKSIZE if audio.blocksize == "auto" else audio.blocksize,
        latency=audio.latency,
        resample_mode=audio.resample_mode,
        resample_quality=audio.resample_quality,
        prefer_stream_rate=audio.prefer_stream_rate,
        policy=_policy(config, stand_in=audio.output_stands_in),
        sleep=_sleep_policy(config, rests=rests),
        tap_s=TAP_S if config.audio.loopback != "off" else 0.0,
    )


def open_voice(config: Config, player: Player, samplerate: int) -> PlayerSource:
    """The voice in the earpiece, at the loudness that the settings want; ``samplerate`` (Hz) is the synthesiser's."""
    voice = player.open_source(samplerate, prebuffer_s=VOICE_PREBUFFER_S)
    voice.set_gain(db_to_gain(config.audio.playback_gain_db), ramp_s=0.0)
    return voice


def connect_reflex(config: Config, player: Player, recorder: Recorder) -> None:
    """Let what plays yield to who speaks, if the settings want it; both are started."""
    audio = config.audio
    player.yield_to(
        recorder,
        Reflex(
            audio.reflex, audio.reflex_threshold_dbfs, audio.reflex_margin_db, audio.reflex_hold_s, audio.duck_gain_db
        ),
    )


def open_recorder(config: Config, *, prompt: bool = False) -> Recorder:
    """The input that the settings name, at :data:`EAR_SAMPLERATE`; not started yet.

    ``prompt``: somebody waits for less of it than a detector of speech does.
    """
    audio = config.audio
    choose_way(audio.portaudio)
    waits = audio.blocksize == "auto" and audio.reflex == "off" and not prompt
    return Recorder(
        EAR_SAMPLERATE,
        EAR_CHANNELS,
        device=audio.input,
        blocksize=BLOCKSIZE if audio.blocksize == "auto" else audio.blocksize,
        block_s=DECISIONS * decision_s(config.vad.backend) if waits else None,
        latency=audio.latency,
        policy=_policy(config),
    )


def listen_to(config: Config, recorder: Recorder) -> MicrophoneInput:
    """The ear on a recorder of :func:`open_recorder`."""
    return MicrophoneInput(recorder, decision_s(config.vad.backend))


def rejoin_s(config: Config) -> float | None:
    """Longest time between two segments that belong together, with the silence around them that is part of them."""
    kept_ms = config.vad.tail_ms + config.vad.pre_roll_ms
    return (config.turn.rejoin_ms - kept_ms) / 1000 if config.turn.rejoin_ms else None


def open_loopback(config: Config) -> tuple[Loopback, Recorder] | None:
    """What the second ear listens to, and its recorder, not started yet; None if it is off.

    Raises
    ------
    DeviceError
        If what is wanted is not there.
    """
    wanted = config.audio.loopback
    if wanted == "off":
        return None
    choose_way(config.audio.portaudio)
    found = find_loopback(wanted)
    recorder = Recorder(
        EAR_SAMPLERATE,
        1,
        device=found.device,
        block_s=DECISIONS * decision_s(config.vad.backend),
        policy=_policy(config, stand_in=False),
        host=found.host,
    )
    return found, recorder


def listen_to_both(config: Config, microphone: Recorder, loopback: Recorder, player: Player) -> PairedEars:
    """Both ears, on recorders and a player that have been started."""
    block_s = decision_s(config.vad.backend)
    return PairedEars(microphone, loopback, player.open_tap(EAR_SAMPLERATE), block_s, cleaner=open_cleaner(config))


def verifier_of_microphone(config: Config, enrolled: SpeakerVerifier | None) -> SpeakerVerifier:
    """Who tells whose voice the microphone hears."""
    if enrolled is not None:
        return enrolled
    alone = config.audio.loopback != "off" and config.speaker.microphone == "wearer"
    return AlwaysWearer() if alone else NotEnrolled()


def _policy(config: Config, *, stand_in: bool = True) -> LifecyclePolicy:
    audio = config.audio
    return LifecyclePolicy(
        device_query_cooldown_s=audio.device_query_cooldown_s,
        max_recreate_per_minute=audio.max_recreate_per_minute,
        slow_recreate_s=audio.slow_recreate_s,
        hung_recreate_s=audio.hung_recreate_s,
        wait_for_device=audio.wait_for_device,
        stand_in=stand_in,
    )


def _sleep_policy(config: Config, *, rests: bool) -> SleepPolicy:
    audio = config.audio
    return SleepPolicy(
        lead_in_s=None if audio.lead_in_ms == "auto" else audio.lead_in_ms / 1000,
        sleeps_after_s=audio.device_sleeps_after_s,
        keep_warm=None if audio.keep_warm == "auto" else audio.keep_warm == "on",
        rests_after_s=audio.rest_after_s if rests and audio.rest_after_s > 0 else None,
    )


def condition(config: Config, source: AudioInput) -> AudioInput:
    """``source`` as the settings want it heard."""
    audio = config.audio
    level = audio.noise_suppression
    suppressor = None if level == "off" else NoiseSuppressor(source.samplerate, level)
    return ConditionedInput(
        source, high_pass_hz=audio.high_pass_hz, most_gain_db=audio.capture_gain_db, suppressor=suppressor
    )


def condition_played(config: Config, source: AudioInput) -> AudioInput:
    """What the machine plays, as the settings want it heard: it has no rumble, and no cable that is not plugged in."""
    return AmplifiedInput(source, config.audio.capture_gain_db)


def make_segmenter(config: Config, *, pause_ms: int = 0) -> Segmenter:
    """The segmenter that the settings want; it says nothing of pauses unless ``pause_ms`` is above 0."""
    vad = config.vad
    return Segmenter(
        open_vad(vad.backend),
        SegmenterSettings(
            pre_roll_ms=vad.pre_roll_ms,
            hang_over_ms=vad.hang_over_ms,
            short_hang_over_ms=min(vad.short_hang_over_ms, vad.hang_over_ms),
            pause_ms=pause_ms,
            pause_again_ms=vad.pause_again_ms,
            tail_ms=vad.tail_ms,
            min_segment_ms=vad.min_segment_ms,
            max_segment_s=vad.max_segment_s,
            threshold=vad.threshold,
        ),
    )


def make_pipeline(
    config: Config,
    backends: Backends,
    source: AudioInput,
    output: VoiceOutput,
    observers: Sequence[Observer],
    *,
    lossless: bool,
    purse: Purse,
    verifier: SpeakerVerifier | None = None,
    mute: Mute | None = None,
    beside: AudioInput | None = None,
) -> Pipeline:
    """Connect an ear and a voice through the backends; the pipeline is not started.

    Parameters
    ----------
    source : AudioInput
        At :data:`EAR_SAMPLERATE`.
    output : VoiceOutput
        At the synthesiser's samplerate.
    observers : sequence of Observer
        Told everything, in this order.
    lossless : bool
        True for recordings, False for what happens now.
    purse : Purse
        Pays for the calls of services.
    verifier : SpeakerVerifier, optional
        Tells the wearer's voice from others'; without one, every voice is another's.
    mute : Mute, optional
        What ``source`` obeys; without one, it cannot be muted.
    beside : AudioInput, optional
        What is heard beside ``source``, as what the machine plays.
    """
    speculate = "off" if lossless else config.turn.speculate
    pause_ms = 0 if speculate == "off" else config.vad.pause_ms
    segmenter = make_segmenter(config, pause_ms=pause_ms)
    ear = condition(config, source)
    second = None
    if beside is not None:
        second = SecondEar(condition_played(config, beside), make_segmenter(config, pause_ms=pause_ms))
    parts = Parts(
        ear,
        segmenter,
        verifier or NotEnrolled(),
        backends.recognizers,
        backends.generator,
        backends.synthesizer,
        output,
        purse,
        mute or Mute(),
        second,
    )
    settings = PipelineSettings(
        lossless=lossless,
        language=config.llm.language,
        max_theses=config.llm.max_theses,
        segment_queue=config.asr.queue_segments,
        synthesis_threads=config.tts.workers,
        pause_s=config.turn.pause_between_theses_ms / 1000,
        speculate=speculate,
        advance="auto" if lossless else config.turn.advance,
        gain_db=config.audio.playback_gain_db,
        context_tokens=config.llm.context_tokens,
        partials=config.asr.partials != "off",
        answer_unsure=config.speaker.unsure == "answer",
        rejoin_s=None if lossless else rejoin_s(config),
    )

    def observe(notice: Notice) -> None:
        for observer in observers:
            observer(notice)

    pipeline = Pipeline(parts, settings, observe)

    def told(part: str, news: BackendError | Changed) -> None:
        if isinstance(news, BackendError):
            pipeline.tell(BackendFailed.of(news, part))
        else:
            pipeline.tell(BackendChanged(news.part, news.backend))

    for chain in backends.chains:
        chain.listen(partial(told, chain.part))
    purse.listen(pipeline.tell)
    return pipeline


def _warm(backend: Synthesizer, name: str, say: Callable[[str], None]) -> None:
    backend.warm()
    say(name)


def _warm_recognizer(recognizer: Recognizer, index: NotesIndex) -> None:
    recognizer.warm()
    recognizer.adapt(index.questions(), vocabulary(index.notes))


def _renew(index: NotesIndex, recognizers: Sequence[Recognizer], notes: Notes) -> None:
    """Go on with these notes."""
    index.replace(notes)
    for recognizer in recognizers:
        recognizer.adapt(index.questions(), vocabulary(index.notes))


def first_generator(config: Config) -> str:
    """The generator that answers as long as it is well."""
    return backend_list(config.llm.backend)[0]
