"""A guided recording of the wearer's voice: a text to read, a bar for the level, an end when enough was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from sottovoce.app.context import AppContext
from sottovoce.app.keys import Keys
from sottovoce.assistant.ports import AudioInput
from sottovoce.core.types import Mono
from sottovoce.core.units import FLOOR_DB, gain_to_db
from sottovoce.speech.wearer.enrolment import WANTED_SPEECH_S, speech_seconds

#: The recording ends after so much (s), whatever was said.
MOST_S = 60.0
#: How often (s) it is found out how much has been said, and the bar drawn.
_COUNT_EVERY_S, _DRAW_EVERY_S = 0.5, 0.1
#: Where the bar begins and ends, and from where on the voice is too loud.
_BAR_DBFS, _LOUD_DBFS = (-60.0, 0.0), -1.0
_BAR_COLUMNS = 30

#: The fable of Aesop that phoneticians let people read: it has most sounds of a language.
TEXTS = {
    "en": "The North Wind and the Sun were disputing which of them was the stronger, when a traveller came along "
    "wrapped in a warm cloak. They agreed that the one who first made the traveller take off his cloak should be "
    "thought the stronger. Then the North Wind blew as hard as he could, but the more he blew, the more closely did "
    "the traveller fold his cloak around him, and at last the North Wind gave up. Then the Sun shone out warmly, and "
    "at once the traveller took off his cloak. And so the North Wind had to own that the Sun was the stronger of the "
    "two.",
    "ru": "Однажды Северный ветер и Солнце заспорили, кто из них сильнее. Как раз в это время по дороге шёл путник, "
    "закутанный в тёплый плащ. Они решили, что сильнее будет тот, кто первым заставит путника снять плащ. Северный "
    "ветер стал дуть изо всех сил, но чем сильнее он дул, тем крепче путник кутался в свой плащ, и в конце концов "
    "ветер отступил. Тогда выглянуло Солнце, пригрело, и путник сразу же снял плащ. Пришлось Северному ветру "
    "признать, что Солнце сильнее его.",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording has come: seconds recorded, seconds of speech in them, the level now (dBFS)."""

    recorded_s: float
    speech_s: float
    peak_dbfs: float


def record_voice(app: AppContext, language: str) -> Mono:
    """Let the wearer read a text into the microphone that is set; Enter ends it early, Ctrl-C gives it up."""
    from sottovoce.app.wiring import listen_to, open_recorder

    keys = Keys()
    with open_recorder(app.config) as recorder:
        text = TEXTS.get(language, TEXTS["en"])
        app.console.print("Read this aloud, as you would say it to somebody across a table:")
        app.console.print(Panel(Text(text), padding=(1, 2)))
        if keys.available:
            app.console.print(
                Text("It ends by itself when enough was said; Enter ends it now, Ctrl-C gives it up.", "dim")
            )
        with keys, meter(app.err) as show:
            return listen(listen_to(app.config, recorder), show, lambda: bool(set(keys.wait(0.0)) & {"\n", "\r", "q"}))


def listen(source: AudioInput, show: Callable[[Progress], None], ended: Callable[[], bool]) -> Mono:
    """Record until enough was said, the source ends, :data:`MOST_S` are over or ``ended`` says so."""
    samplerate = source.samplerate
    blocks: list[Mono] = []
    frames, counted_s, shown_s, speech_s, peak = 0, 0.0, 0.0, 0.0, 0.0
    while frames < MOST_S * samplerate and speech_s < WANTED_SPEECH_S:
        block = source.read()
        if block is None or ended():
            break
        blocks.append(block)
        frames += len(block)
        recorded_s = frames / samplerate
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        if recorded_s - counted_s >= _COUNT_EVERY_S:
            counted_s = recorded_s
            speech_s = speech_seconds(np.concatenate(blocks))
        if recorded_s - shown_s >= _DRAW_EVERY_S:
            shown_s = recorded_s
            show(Progress(recorded_s, speech_s, gain_to_db(peak)))
            peak = 0.0
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


@contextmanager
def meter(console: Console) -> Iterator[Callable[[Progress], None]]:
    """Draws how far it has come, in one line that is drawn anew; nothing where nobody could see it."""
    if not console.is_terminal:
        yield lambda progress: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda progress: live.update(bar(progress, utf8=(console.encoding or "").startswith("utf")), refresh=True)


def bar(progress: Progress, *, utf8: bool = True) -> Text:
    """The level, and how much has been said of what is wanted."""
    low, high = _BAR_DBFS
    level = max(progress.peak_dbfs, FLOOR_DB)
    filled = round(min(max((level - low) / (high - low), 0.0), 1.0) * _BAR_COLUMNS)
    full, empty = ("█", "░") if utf8 else ("#", "-")
    style = "bold red" if level >= _LOUD_DBFS else "green" if progress.speech_s > 0.0 else "yellow"
    text = Text.assemble((full * filled, style), (empty * (_BAR_COLUMNS - filled), "dim"), f" {level:4.0f} dBFS")
    text.append(f"   {progress.speech_s:.0f} of {WANTED_SPEECH_S:.0f} s of speech", "bold")
    if level >= _LOUD_DBFS:
        text.append("   too loud", "bold red")
    return text
