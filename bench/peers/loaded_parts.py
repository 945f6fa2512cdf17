"""Loads the parts of an offline session one after the other, and prints what each adds to the memory, in MB."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from importlib import resources
from pathlib import Path


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def added() -> dict[str, float]:
    """What each part adds, by its name."""
    sizes = {"interpreter": rss_mb()}

    def note(part: str) -> None:
        sizes[part] = rss_mb() - sum(sizes.values())

    with ExitStack() as stack:
        from sottovoce.app.settings import Config
        from sottovoce.app.wiring import open_player, open_recorder, open_voice
        from sottovoce.speech.notes.index import NotesIndex
        from sottovoce.speech.notes.reader import read_notes
        from sottovoce.speech.registry import open_recognizer, open_synthesizer
        from sottovoce.speech.vad import open_vad

        note("code")
        config = Config()
        stack.enter_context(open_recorder(config))
        player = stack.enter_context(open_player(config))
        open_voice(config, player, 22050)
        note("engine")
        notes = read_notes(Path(str(resources.files("sottovoce.app") / "sample_notes")))
        index = NotesIndex(notes.notes)
        note("notes")
        recognizers = [open_recognizer("pocketsphinx", language="en") for _ in range(config.asr.workers)]
        for recognizer in recognizers:
            recognizer.warm()
            recognizer.adapt(index.questions())
        note("recognisers")
        voice = open_synthesizer("espeak")
        voice.warm()
        note("voice")
        open_vad("silero")
        note("detector")
    return sizes


if __name__ == "__main__":
    print(json.dumps(added()))
