"""Settings of the models on this machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sottovoce.app.setting_types import NameOrPath, Section, StorePath
from sottovoce.speech.local.folder import default_folder


class WhisperSettings(Section):
    """Whisper on this machine."""

    model: NameOrPath = Field(
        default="small",
        description='Model: "tiny", "base", "small", "medium", "large-v3", "large-v3-turbo", a repository of the '
        "Hugging Face hub (owner/name), or a folder. Larger ones hear better and take longer.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where it is computed: on the graphics card where CUDA works, else on the processor.",
    )
    beam_size: int = Field(
        default=1, ge=1, le=10, description="Guesses followed at the same time; more hear a little better, and later."
    )
    threads: int = Field(
        default=0, ge=0, le=256, description="Threads of the processor for one segment; 0 takes all cores, at most 4."
    )
    deadline_s: float = Field(
        default=10.0, gt=0, le=600, description="How long a segment may take (each 30 s of it), in seconds."
    )


class SileroSettings(Section):
    """Silero's voices on this machine."""

    ru_model: NameOrPath = Field(default="v5_5_ru", description='Model for Russian: "v5_5_ru", "v4_ru", or a file.')
    en_model: NameOrPath = Field(default="v3_en", description='Model for English: "v3_en", or a file.')
    samplerate: Literal[24_000, 48_000] = Field(default=48_000, description="Samplerate of the speech (Hz).")
    deadline_s: float = Field(
        default=10.0, gt=0, le=600, description="How long a sentence may take, those before it included, in seconds."
    )


class ModelsSettings(Section):
    """Models on this machine; see `sottovoce models`."""

    offline: bool = Field(
        default=False, description="Whether nothing may be fetched: a model that is not here is an error."
    )
    path: StorePath = Field(
        default_factory=default_folder,
        description="Where models lie; those of the Hugging Face hub lie in its own cache (HF_HUB_CACHE).",
    )
