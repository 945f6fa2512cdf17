"""Every setting: its type, default, limits and what it is for. Errors and documentation are made from here.

Read with :func:`sottovoce.app.config.load`; the models are frozen and refuse unknown names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, model_validator

from sottovoce.app.service_settings import BudgetSettings, GeminiSettings, GoogleSettings, OpenaiSettings
from sottovoce.app.setting_types import (
    Blocksize,
    Device,
    FilePath,
    FolderPath,
    Language,
    LanguageOrAuto,
    Latency,
    LeadIn,
    Loopback,
    ModelName,
    NotesPath,
    Section,
    StorePath,
    backend,
)
from sottovoce.app.settings_local import ModelsSettings, SileroSettings, WhisperSettings
from sottovoce.app.settings_metrics import MetricsSettings
from sottovoce.app.settings_web import WebSettings

APP_NAME = "sottovoce"


def backend_list(names: str) -> tuple[str, ...]:
    """The backends that a setting names, the preferred one first."""
    return tuple(name.strip() for name in names.split(","))


def default_store_path() -> Path:
    """Where sessions are kept unless a setting says otherwise."""
    return platformdirs.user_data_path(APP_NAME, appauthor=False) / "sessions.db"


def default_voices_path() -> Path:
    """Where enrolled voices are kept unless a setting says otherwise."""
    return platformdirs.user_data_path(APP_NAME, appauthor=False) / "voices"


class AudioSettings(Section):
    """Devices, and how audio moves between them and the engine."""

    input: Device = Field(default=None, description="Device to listen to, or the default of the system.")
    output: Device = Field(default=None, description="Device to speak to, or the default of the system.")
    loopback: Loopback = Field(
        default="off",
        description="The second ear of a live session, for conversations held on this computer: what it plays, which "
        'is the other side for certain. "auto" is what the default output plays; or the name of an output, or of an '
        "input that hears it; see docs/two-ears.md.",
    )
    portaudio: Literal["auto", "sounddevice", "ctypes"] = Field(
        default="auto",
        description="How streams are opened: by the stream class of sounddevice, by the C functions of the library it "
        'brings ("ctypes"), or by the former unless it has changed ("auto").',
    )
    blocksize: Blocksize = Field(
        default="auto",
        description='Frames of one callback. "auto" is 256 for the output, and for the microphone as long as a '
        "decision of the detector (some 30 ms), which delays nothing and wakes the machine less often; with a reflex "
        "256, too.",
    )
    latency: Latency = Field(
        default="auto",
        description='Latency asked of the device: "auto" starts low and grows as far as this machine needs it; "low" '
        'and "high" are the system\'s suggestions, "low" some 20 ms sooner, "high" for a busier machine.',
    )
    wait_for_device: bool = Field(
        default=False,
        description="Whether a device that is not there at the start is waited for, instead of that being an error; "
        "what is to be said meanwhile is said when it comes.",
    )
    output_stands_in: bool = Field(
        default=False,
        description="Whether the default output stands in for one that you have named and that is lost. Off, so that "
        "what is whispered into an earpiece never comes out of a loudspeaker: it waits until the earpiece is back.",
    )
    lead_in_ms: LeadIn = Field(
        default="auto",
        description="How long sound is held back while a device that sleeps in silence wakes up, so that it does not "
        'swallow the first syllable; "auto" is 300 for what calls itself Bluetooth, and 0 for others.',
    )
    device_sleeps_after_s: float = Field(
        default=5.0, ge=0, le=86_400, description="How long a silence puts such a device to sleep."
    )
    keep_warm: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether silence is filled with noise that nobody hears (-89 dBFS), so that such a device does not "
        'fall asleep; "auto" does so for what calls itself Bluetooth.',
    )
    rest_after_s: float = Field(
        default=5.0,
        ge=0,
        le=86_400,
        description="How long a silence closes the output of a live session until somebody speaks, in seconds; 0 for "
        "never. A device that is kept warm, or needs a lead-in, stays open.",
    )
    resample_mode: Literal["callback", "producer", "off"] = Field(
        default="callback",
        description="Where speech is resampled if the device runs at another rate: in the callback until that takes it "
        'too long ("callback"), before it is queued ("producer"), or not at all ("off": such a device is refused).',
    )
    resample_quality: Literal["linear", "fast", "standard", "hq", "best", "soxr"] = Field(
        default="standard",
        description='How well: "linear" (audible), "fast", "standard" (90 % of the band, -101 dB), "hq", "best", or '
        '"soxr" (only before it is queued).',
    )
    prefer_stream_rate: Literal["content", "device"] = Field(
        default="content", description="Which samplerate is tried first: that of the speech, or that of the device."
    )
    device_query_cooldown_s: float = Field(
        default=0.5, ge=0, le=60, description="Seconds until devices are asked for again when none was found."
    )
    max_recreate_per_minute: int = Field(
        default=30,
        ge=1,
        le=100_000,
        description="How often a stream may be made anew in a minute when devices come and go.",
    )
    slow_recreate_s: float = Field(
        default=1.0, ge=0.001, le=60, description="Making a stream anew is warned about when it takes longer (seconds)."
    )
    hung_recreate_s: float = Field(
        default=5.0, ge=0.001, le=60, description="Making a stream anew is given up when it takes longer (seconds)."
    )
    playback_gain_db: float = Field(
        default=0.0, ge=-60, le=12, description="Loudness of everything that is played, in dB; 0 leaves it as it is."
    )
    high_pass_hz: float = Field(
        default=80.0,
        ge=0,
        le=300,
        description="Below this, what a microphone hears is taken away: offset, rumble, hum. 0 leaves it as it is.",
    )
    capture_gain_db: float = Field(
        default=24.0, ge=0, le=40, description="How much a quiet voice is amplified at most, in dB; 0 for not at all."
    )
    echo_cancellation: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether what is played is taken out of what the microphone hears, where audio.loopback listens to "
        'it; needs the extra aec. "auto" does so if that is installed, "on" refuses to listen without.',
    )
    echo_canceller: str = backend("aec", "blend", "By what: a backend of that kind.")
    noise_suppression: Literal["off", "low", "moderate", "high", "highest"] = Field(
        default="off",
        description="How much steady noise is weakened, by 6, 12, 18 or 21 dB; needs the extra aec. Off, since "
        "words are not recognised better for certain, and worse with much of it: see docs/echo.md.",
    )
    reflex: Literal["off", "duck", "pause"] = Field(
        default="off",
        description='What speech does as soon as somebody speaks into the microphone: play on ("off"), more quietly '
        '("duck"), or stop until they are done ("pause"). For earpieces: a loudspeaker would yield to itself.',
    )
    reflex_threshold_dbfs: float = Field(
        default=-45.0, ge=-90, le=0, description="Least level at the microphone that counts as somebody speaking."
    )
    reflex_margin_db: float = Field(
        default=12.0, ge=0, le=60, description="How far somebody must be above the noise around to count as speaking."
    )
    reflex_hold_s: float = Field(
        default=0.4, ge=0, le=60, description="Seconds that the reflex lasts after the last word."
    )
    duck_gain_db: float = Field(
        default=-18.0, ge=-120, le=0, description="How much quieter speech plays while somebody speaks, in dB."
    )


class VadSettings(Section):
    """What counts as speech, and where a question begins and ends."""

    backend: Literal["auto", "silero", "webrtc"] = Field(
        default="auto", description='Detector of speech; "auto" takes silero where it is installed, else webrtc.'
    )
    threshold: float = Field(
        default=0.6,
        gt=0,
        lt=1,
        description="How certain the detector must be; higher ignores more noise and more quiet speech.",
    )
    min_segment_ms: int = Field(
        default=1500,
        ge=0,
        le=10_000,
        description="Shorter segments are ignored; pre-roll and hang-over count, so that a real short question passes.",
    )
    pre_roll_ms: int = Field(default=300, ge=0, le=2000, description="How much is kept from before speech was noticed.")
    hang_over_ms: int = Field(
        default=600,
        ge=100,
        le=3000,
        description="How long a silence ends a segment; shorter answers sooner, longer bears pauses.",
    )
    short_hang_over_ms: int = Field(
        default=280,
        ge=100,
        le=3000,
        description="The same for what reads like a whole question; hang_over_ms or more makes no difference.",
    )
    pause_ms: int = Field(
        default=30,
        ge=30,
        le=2000,
        description="After how much silence work on a question begins that may not be over yet; see turn.speculate.",
    )
    pause_again_ms: int = Field(
        default=120,
        ge=30,
        le=2000,
        description="The same within a second of such a silence: speech is full of short ones, and work on all of them "
        "would be in vain.",
    )
    tail_ms: int = Field(
        default=300, ge=0, le=3000, description="How much of that silence is given to the recogniser, which needs some."
    )
    max_segment_s: float = Field(default=30.0, ge=2, le=300, description="A longer segment is cut at its best pause.")

    @model_validator(mode="after")
    def _some_segment_passes(self) -> VadSettings:
        if self.max_segment_s * 1000 <= self.min_segment_ms:
            raise ValueError(
                f"vad.max_segment_s = {self.max_segment_s:g} is not above vad.min_segment_ms = {self.min_segment_ms}, "
                "so that no segment could pass"
            )
        return self


class SpeakerSettings(Section):
    """Whose voice is heard: your own, which is never answered, or another's. See docs/voices.md."""

    verify: bool = Field(default=True, description="Whether your own voice is told from others', once it is enrolled.")
    profile: str = Field(
        default="default",
        pattern=r"^[\w-]{1,60}$",
        description="Which enrolled voice is yours: a name that `sottovoce enroll list` shows.",
        json_schema_extra={"allowed": "letters, digits, _ and -, at most 60"},
    )
    backend: str = backend(
        "embedding", "builtin", "What tells voices apart; of several, the first one that is installed."
    )
    unsure: Literal["answer", "ignore"] = Field(
        default="answer",
        description="What is done with a question that may or may not have been yours: it is answered, or ignored. "
        "Very short ones are always such.",
    )
    microphone: Literal["wearer", "anybody"] = Field(
        default="wearer",
        description="Whose voice the microphone hears while audio.loopback hears the other side and no voice is "
        "enrolled: yours alone, which is never answered, or anybody's, so that your own questions are answered too.",
    )
    certainty: float = Field(
        default=0.9,
        ge=0.5,
        lt=1,
        description="How probable it must be that a voice is yours, or is not, to count as such; else it is unsure.",
    )
    adapt: bool = Field(
        default=True,
        description="Whether what is surely your voice is learned from while a session lasts; nothing of it is kept.",
    )
    split: bool = Field(
        default=True, description="Whether what both of you said without a pause is cut where the voice changes."
    )
    folder: FolderPath = Field(
        default_factory=default_voices_path, description="Folder of the enrolled voices, readable by its owner alone."
    )
    ecapa_model: ModelName = Field(
        default="speechbrain/spkrec-ecapa-voxceleb",
        description="Model of the backend ecapa: a name on the Hugging Face hub, or a folder.",
    )
    onnx_model: FilePath = Field(default=None, description="Model of the backend onnx: a file.")
    onnx_threshold: float = Field(
        default=0.4, gt=-1, lt=1, description="Cosine at which that model finds the same voice as likely as another."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description='Where ecapa and onnx run; "auto" is cuda where there is one.'
    )


class AsrSettings(Section):
    """The recogniser: speech to text."""

    backend: str = backend(
        "asr", "pocketsphinx", "Which recogniser, or several in order: if the first fails, the next one hears."
    )
    workers: int = Field(default=2, ge=1, le=16, description="Segments transcribed at the same time.")
    queue_segments: int = Field(
        default=8, ge=1, le=256, description="Segments that may wait; one more drops the oldest."
    )
    language: Language = Field(default="en", description="Language that is spoken around you.")
    first_word_s: float = Field(
        default=4.0, gt=0, le=60, description="How long the first words of a service may take, in seconds."
    )
    partials: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether what is said is recognised while it is being said: shown in grey, and answered before it "
        "is over if it reads like a whole question. A recogniser that cannot do so transcribes it over and over, "
        'unless it is too slow, or ("auto") a service that is paid for each time.',
    )


class LlmSettings(Section):
    """The generator: a question to theses."""

    backend: str = backend(
        "llm", "notes", "Which generator, or several in order: if the first fails, the next one goes on."
    )
    style: Literal["theses", "answer"] = Field(
        default="theses",
        description="What a language model writes: key points, or an answer in a few connected sentences, which takes "
        "another model if one is set (gemini.answer_model, openai.answer_model).",
    )
    max_theses: int = Field(default=4, ge=1, le=8, description="Most theses of one answer.")
    language: LanguageOrAuto = Field(
        default="auto", description='Language of the theses; "auto" is that of the question.'
    )
    context_tokens: int = Field(
        default=1000,
        ge=0,
        le=100_000,
        description="How much of what was said before goes with a question, in tokens of a language model (about four "
        "letters each); the oldest is left out.",
    )
    temperature: float = Field(
        default=0.3, ge=0, le=2, description="How freely a language model chooses its words; 0 takes the likeliest."
    )
    max_tokens: int = Field(
        default=180, ge=16, le=4096, description="Longest answer of a language model, in its tokens."
    )
    first_token_s: float = Field(
        default=2.0, gt=0, le=60, description="How long the first words of a language model may take, in seconds."
    )
    stall_s: float = Field(
        default=2.0, gt=0, le=60, description="How long it may be silent in the middle of an answer, in seconds."
    )


class TtsSettings(Section):
    """The synthesiser: theses to speech."""

    backend: str = backend(
        "tts", "espeak", "Which synthesiser, or several in order: if the first fails, the next one speaks."
    )
    voice: str = Field(
        default="auto",
        min_length=1,
        description='Voice by the name the synthesiser gives it; "auto" takes one that fits the language.',
        json_schema_extra={"allowed": 'the name of a voice, or "auto"'},
    )
    speed: float = Field(default=1.35, ge=0.5, le=3, description="Pace of speech; 1 is the voice's own.")
    volume: float = Field(default=1.0, ge=0, le=2, description="Loudness of speech; 1 is the voice's own.")
    first_sound_s: float = Field(
        default=2.0, gt=0, le=60, description="How long the first sound of a service may take, in seconds."
    )
    workers: int = Field(default=3, ge=1, le=16, description="Theses synthesised at the same time.")


class NotesSettings(Section):
    """Your own notes, which the offline generator answers from."""

    path: NotesPath = Field(
        default=None,
        description="Folder of Markdown notes, or a single note; in a file, relative to the folder of that file.",
    )
    min_confidence: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="How likely a note must be the one that was asked for to be given for an answer.",
    )
    max_thesis_s: float = Field(
        default=4.0,
        ge=1,
        le=30,
        description="Longest thesis from your notes, in seconds at tts.speed; longer points are cut.",
    )
    restore: bool = Field(
        default=True,
        description="Whether names, abbreviations and numbers of your notes are restored in what was heard.",
    )
    reload: bool = Field(
        default=True, description="Whether notes are read again when they change on disk while a session runs."
    )


class TurnSettings(Section):
    """How an answer is given."""

    speculate: Literal["off", "transcript", "answer"] = Field(
        default="answer",
        description="How far a question is worked on while its speaker has only paused: not at all, to its transcript, "
        "or to its answer and speech, which are thrown away if speech goes on. Nothing of it is heard before the "
        "question is over. Where what is said is recognised while it is being said (asr.partials), an answer may be "
        'begun even before the pause. "transcript" calls no language model in vain.',
    )
    advance: Literal["auto", "follow", "manual"] = Field(
        default="auto",
        description='When the next thesis comes: by itself ("auto"), once you have said the one before in your own '
        'words ("follow", which needs your voice to be enrolled), or when you ask for it ("manual": press n, '
        "which works with all three).",
    )
    rejoin_ms: int = Field(
        default=800,
        ge=0,
        le=5000,
        description="A question that was taken for whole is asked anew, together with what follows it within so much "
        "silence and is no question of its own; 0 for never.",
    )
    pause_between_theses_ms: int = Field(default=250, ge=0, le=10_000, description="Silence between two theses.")


class SessionSettings(Section):
    """What is kept of a session. Its sound is not, unless you say so."""

    store: bool = Field(default=True, description="Whether sessions are stored at all.")
    path: StorePath = Field(
        default_factory=default_store_path, description="The database of sessions, readable by its owner alone."
    )
    transcripts: Literal["keep", "redact", "off"] = Field(
        default="keep",
        description="What becomes of the words said and answered: kept, only their lengths kept, or nothing.",
    )
    store_audio: bool = Field(
        default=False,
        description="Whether what is heard is kept as sound, too: a WAV file a session (115 MB an hour), in a folder "
        "beside the database, readable by its owner alone. Others may have to agree to being recorded.",
    )


class LogSettings(Section):
    """Messages about the program itself; what was said is never among them."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="Least important message that is shown."
    )


class Config(Section):
    """All settings."""

    audio: AudioSettings = Field(default_factory=AudioSettings)
    vad: VadSettings = Field(default_factory=VadSettings)
    speaker: SpeakerSettings = Field(default_factory=SpeakerSettings)
    asr: AsrSettings = Field(default_factory=AsrSettings)
    llm: LlmSettings = Field(default_factory=LlmSettings)
    tts: TtsSettings = Field(default_factory=TtsSettings)
    notes: NotesSettings = Field(default_factory=NotesSettings)
    openai: OpenaiSettings = Field(default_factory=OpenaiSettings)
    gemini: GeminiSettings = Field(default_factory=GeminiSettings)
    whisper: WhisperSettings = Field(default_factory=WhisperSettings)
    silero: SileroSettings = Field(default_factory=SileroSettings)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    google: GoogleSettings = Field(default_factory=GoogleSettings)
    turn: TurnSettings = Field(default_factory=TurnSettings)
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    def get(self, key: str) -> object:
        """The value of a dotted key, as "tts.speed"."""
        section, _, name = key.partition(".")
        return getattr(getattr(self, section), name)


#: The model of each section, by its name, in the order of the documentation.
SECTIONS: dict[str, type[Section]] = {
    "audio": AudioSettings,
    "vad": VadSettings,
    "speaker": SpeakerSettings,
    "asr": AsrSettings,
    "llm": LlmSettings,
    "tts": TtsSettings,
    "notes": NotesSettings,
    "openai": OpenaiSettings,
    "gemini": GeminiSettings,
    "whisper": WhisperSettings,
    "silero": SileroSettings,
    "models": ModelsSettings,
    "google": GoogleSettings,
    "turn": TurnSettings,
    "budget": BudgetSettings,
    "session": SessionSettings,
    "metrics": MetricsSettings,
    "web": WebSettings,
    "log": LogSettings,
}
