"""How the contract suites open a backend: what calls a service has the emulator, what needs a model a tiny one."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from sottovoce.speech.registry import Kind, describe, open_recognizer
from tests.emulator import Emulator
from tests.support import silero_package, whisper_model

#: A busy machine is no failure of a service.
PATIENCE = {
    "asr": {"first_word_s": 60.0, "stall_s": 60.0},
    "llm": {"first_token_s": 60.0, "stall_s": 60.0},
    "tts": {"first_sound_s": 60.0, "stall_s": 60.0},
}


class Models:
    """Tiny models in a folder, each made when it is first wanted.

    Parameters
    ----------
    folder : Path
        Where they go.
    phrase : str
        What the recognisers among them hear in speech.
    """

    def __init__(self, folder: Path, phrase: str) -> None:
        self._folder = folder
        self._phrase = phrase
        self._kept = ExitStack()

    def close(self) -> None:
        """Let go of what is kept loaded."""
        self._kept.close()

    def settings(self, kind: Kind, name: str) -> dict[str, object]:
        """The settings with which a backend takes the model that is made for it; none for one that needs none."""
        match kind, name:
            case "asr", "whisper":
                folder = self._folder / name
                settings: dict[str, object] = {"model": str(folder), "deadline_s": 60.0}
                if not folder.exists():
                    whisper_model.make_model(folder, self._phrase)
                    # the recognisers of a process share a model: kept, it is loaded once for all of them
                    self._kept.enter_context(closing(open_recognizer(name, **settings))).warm()
                return settings
            case "tts", "silero":
                files = {language: self._folder / f"{language}.pt" for language in silero_package.SPEAKERS}
                for language, file in files.items():
                    if not file.exists():
                        silero_package.make_package(file, language)
                return {"ru_model": str(files["ru"]), "en_model": str(files["en"]), "deadline_s": 60.0}
            case _:
                return {}


def service_settings(kind: Kind, name: str, emulator: Emulator) -> dict[str, object]:
    """Settings that point a backend at the emulator; none for one that sends nothing."""
    if not describe(kind, name).sends:
        return {}
    if name == "google":  # its library is loaded only where it is needed
        return {"base_url": emulator.google_url, **PATIENCE[kind]}
    return {"base_url": {"openai": emulator.openai_url, "gemini": emulator.url}[name], **PATIENCE[kind]}
