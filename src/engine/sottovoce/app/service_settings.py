"""Settings of services, and of what they may cost; a part of :mod:`sottovoce.app.settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sottovoce.app.setting_types import KeyFile, ModelName, ModelOrNone, Section, Url, Usd


class OpenaiSettings(Section):
    """OpenAI, or a server that speaks its language. The key is never a setting; see docs/backends.md."""

    base_url: Url = Field(
        default="", description='Address of the server, as "http://localhost:11434/v1"; "" is that of OpenAI.'
    )
    llm_base_url: Url = Field(default="", description='The same for the language model alone; "" is base_url.')
    asr_base_url: Url = Field(default="", description='The same for recognition alone; "" is base_url.')
    tts_base_url: Url = Field(default="", description='The same for speech alone; "" is base_url.')
    llm_model: ModelName = Field(default="gpt-4o-mini", description="Model that writes the theses.")
    answer_model: ModelOrNone = Field(
        default="", description='Model that writes answers, where llm.style = "answer"; "" is llm_model.'
    )
    asr_model: ModelName = Field(default="gpt-4o-mini-transcribe", description="Model that recognises speech.")
    asr_realtime: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether speech is sent to the recogniser while it is still spoken, over a socket, and not when it "
        'is over; "auto" does so with models that write while they listen (gpt-live-transcribe).',
    )
    tts_model: ModelName = Field(default="tts-1", description="Model that speaks.")
    key_file: KeyFile = Field(
        default=None,
        description="File that holds nothing but the key, readable by you alone; OPENAI_API_KEY is stronger.",
    )


class GeminiSettings(Section):
    """Google's Gemini. The key is never a setting; see docs/backends.md."""

    base_url: Url = Field(default="", description='Address of the service; "" is that of Google.')
    llm_model: ModelName = Field(default="gemini-flash-lite-latest", description="Model that writes the theses.")
    answer_model: ModelOrNone = Field(
        default="gemini-flash-latest",
        description='Model that writes answers, where llm.style = "answer"; "" is llm_model.',
    )
    key_file: KeyFile = Field(
        default=None,
        description="File that holds nothing but the key, readable by you alone; GEMINI_API_KEY is stronger.",
    )


class GoogleSettings(Section):
    """Google Cloud, whose voices speak. The key is never a setting; see docs/backends.md."""

    base_url: Url = Field(
        default="",
        description='Address of the service, as "https://eu-texttospeech.googleapis.com"; "" is that of Google. With '
        "http it must be this machine.",
    )
    key_file: KeyFile = Field(
        default=None,
        description="File of a service account (JSON), or with nothing but a key, readable by you alone; "
        "GOOGLE_TTS_API_KEY is stronger.",
    )


class BudgetSettings(Section):
    """What services may cost. Prices are in a table that you can change: see `sottovoce costs --prices`."""

    session_warn_usd: Usd = Field(
        default=None, description="You are told when a session has cost so much (US dollars)."
    )
    session_stop_usd: Usd = Field(
        default=None,
        description="When a session has cost so much no service is called any more. What has begun is finished, and "
        "the offline backends that you have named behind the services go on.",
    )
    day_warn_usd: Usd = Field(
        default=None, description="The same as session_warn_usd for a day, all sessions together."
    )
    day_stop_usd: Usd = Field(
        default=None,
        description="The same as session_stop_usd for a day, all sessions together; without session.store, for what "
        "the session itself has cost on that day.",
    )

    @model_validator(mode="after")
    def _warned_first(self) -> BudgetSettings:
        for scope in ("session", "day"):
            warn, stop = getattr(self, f"{scope}_warn_usd"), getattr(self, f"{scope}_stop_usd")
            if warn is not None and stop is not None and warn > stop:
                raise ValueError(
                    f"budget.{scope}_warn_usd = {warn:g} is above budget.{scope}_stop_usd = {stop:g}, so that nobody "
                    "would be warned"
                )
        return self
