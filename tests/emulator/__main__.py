"""Start the emulator by hand: ``python -m tests.emulator [--port PORT]``."""

from __future__ import annotations

import argparse
import contextlib
import threading

from tests.emulator import Emulator

THESES = ("These are the words of an emulator", "It has no model behind it", "Every question gets them")

THEN = "and there: sottovoce live, or sottovoce answer RECORDING"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port to listen at; a free one if not given")
    port = parser.parse_args().port
    with Emulator(port, otherwise=THESES) as emulator:
        exports = "\n".join(f"export {name}={value}" for name, value in environment(emulator).items())
        print(f"Answers until Ctrl-C. In another shell:\n\n{exports}\n\n{THEN}", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def environment(emulator: Emulator) -> dict[str, str]:
    """Variables that point sottovoce at the emulator."""
    return {
        "SOTTOVOCE_OPENAI_BASE_URL": emulator.openai_url,
        "SOTTOVOCE_GEMINI_BASE_URL": emulator.url,
        "SOTTOVOCE_GOOGLE_BASE_URL": emulator.google_url,
        "SOTTOVOCE_ASR_BACKEND": "openai",
        "SOTTOVOCE_LLM_BACKEND": "gemini",
        "SOTTOVOCE_TTS_BACKEND": "google",
    }


if __name__ == "__main__":
    main()
