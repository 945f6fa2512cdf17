"""The stages of a turn as a waterfall, in the terminal and as SVG: what ran when, what the first sound waited for."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sottovoce.metrics.stages import Span

if TYPE_CHECKING:
    from rich.text import Text

    from sottovoce.session.records import TurnRecord

#: Stages as they are named for the reader; the total is a line, not a bar.
NAMES = {
    Span.VAD_END: "silence",
    Span.EMBEDDING: "whose voice",
    Span.ASR_WAIT: "wait",
    Span.ASR: "recogniser",
    Span.LLM_FIRST_TOKEN: "first token",
    Span.FIRST_THESIS: "first thesis",
    Span.TTS_FIRST_AUDIO: "voice",
    Span.FIRST_SAMPLE: "to the ear",
}

#: How much of what follows the first sound is in the picture, in parts of what comes before it.
_AFTER = 0.25
_LEAST_MS = 100.0
_LABEL_COLUMNS, _FIGURE_COLUMNS = 13, 10


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: from when to when, in ms from the true end of the question; a thesis goes on to the right."""

    name: str
    start_ms: float
    end_ms: float
    thesis: bool = False

    @property
    def length(self) -> str:
        """In words."""
        length_ms = self.end_ms - self.start_ms
        return f"{length_ms / 1000:.1f} s" if self.thesis else f"{length_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A turn as it is drawn; ``total_ms`` is None if nothing was heard."""

    turn: int
    question: str
    bars: tuple[Bar, ...]
    first_ms: float
    last_ms: float
    total_ms: float | None


def waterfall(turn: TurnRecord) -> Waterfall | None:
    """The picture of a turn; None if none of its stages is known."""
    stages = {stage.name: stage for stage in turn.stages}
    known = [(NAMES[span], stages[span]) for span in NAMES if span in stages]
    if not known:
        return None
    silence = stages.get(Span.VAD_END)
    zero_ns = silence.start_ns if silence is not None else min(stage.start_ns for _, stage in known)

    def ms(at_ns: float) -> float:
        return (at_ns - zero_ns) / 1e6

    bars = [Bar(name, ms(stage.start_ns), ms(stage.end_ns)) for name, stage in known]
    for thesis in turn.theses:
        if thesis.start_s is not None:
            start_ms = ms(thesis.start_s * 1e9)
            spoken_ms = 1000.0 * (thesis.heard_s or thesis.spoken_s)
            bars.append(Bar(f"thesis {thesis.number}", start_ms, start_ms + spoken_ms, thesis=True))
    total = stages.get(Span.TOTAL)
    made_ms = max(bar.end_ms for bar in bars if not bar.thesis)
    first_ms = min(0.0, *(bar.start_ms for bar in bars))
    last_ms = max(made_ms + _AFTER * (made_ms - first_ms), first_ms + _LEAST_MS)
    return Waterfall(turn.number, str(turn.question), tuple(bars), first_ms, last_ms, total.ms if total else None)


def draw(picture: Waterfall, columns: int, *, utf8: bool = True) -> list[Text]:
    """The rows of a terminal so many columns wide."""
    from rich.text import Text

    block, arrow = ("█", "▸") if utf8 else ("#", ">")
    width = max(10, columns - _LABEL_COLUMNS - _FIGURE_COLUMNS)
    scale = width / (picture.last_ms - picture.first_ms)
    rows = []
    for bar in picture.bars:
        left = min(_place(bar.start_ms, picture, scale, width), width - 1)
        right = max(_place(bar.end_ms, picture, scale, width), left + 1)
        drawn = block * (right - left)
        if bar.end_ms > picture.last_ms:
            drawn = drawn[:-1] + arrow
        row = Text(f"{bar.name:<{_LABEL_COLUMNS}}", "dim")
        row.append(" " * left)
        row.append(drawn, "green" if bar.thesis else "cyan")
        row.append(" " * max(0, width - left - len(drawn)))
        rows.append(row.append(f"{bar.length:>{_FIGURE_COLUMNS}}", "dim"))
    if picture.total_ms is not None:
        at = _place(picture.total_ms, picture, scale, width)
        sign = "┃" if utf8 else "|"
        label = f"{picture.total_ms:.0f} ms to the first sound"
        row = Text(" " * (_LABEL_COLUMNS + at)).append(sign, "green")
        after = len(label) + 1 <= width - at + _FIGURE_COLUMNS
        rows.append(
            row.append(f" {label}", "green") if after else Text(f"{label:>{_LABEL_COLUMNS + at}} ").append(sign)
        )
    return rows


def _place(at_ms: float, picture: Waterfall, scale: float, width: int) -> int:
    return min(width, max(0, round((at_ms - picture.first_ms) * scale)))


_ROW, _LABEL, _WIDE, _RIGHT, _HEAD, _HEAD_INLINE = 22, 110, 620, 80, 44, 24

#: The looks of a drawing, light and dark.
SVG_STYLE = """.waterfall text{font:13px system-ui,sans-serif;fill:#1b1b1b}.waterfall .dim{fill:#5c5c5c}
.waterfall .grid{stroke:#d8d8d8}.waterfall .stage{fill:#2f7f93}.waterfall .thesis{fill:#3d8b40}
.waterfall .total{stroke:#3d8b40;stroke-width:2}.waterfall .page{fill:#fff}
@media screen and (prefers-color-scheme:dark){.waterfall text{fill:#ececec}.waterfall .dim{fill:#a8a8a8}
.waterfall .grid{stroke:#3a3a3a}.waterfall .stage{fill:#56b4c9}.waterfall .thesis{fill:#6cc070}
.waterfall .total{stroke:#6cc070}.waterfall .page{fill:#161616}}"""

#: Longer questions are cut in a picture.
_MOST_CHARS = 95
# What XML cannot hold.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def svg(pictures: Sequence[Waterfall], title: str, *, inline: bool = False) -> str:
    """A drawing of one turn below the other; needs nothing else, and follows the reader's light or dark theme.

    ``inline`` is for a page that has :data:`SVG_STYLE` among its styles, a background, and the questions in its text.
    """
    parts: list[str] = []
    top = 0
    for picture in pictures:
        if not inline:
            asked = shorten(_CONTROLS.sub(" ", picture.question), _MOST_CHARS, placeholder="…")
            parts.append(f'<text x="12" y="{top + 22}" font-weight="bold">{picture.turn}. {escape(asked)}</text>')
        above = _HEAD_INLINE if inline else _HEAD
        parts += _svg_turn(picture, top + above)
        top += above + _ROW * len(picture.bars) + 34
    width = _LABEL + _WIDE + _RIGHT
    size = f'viewBox="0 0 {width} {top}" width="{width}" height="{top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="waterfall" {size} role="img">'
    page = f'<rect class="page" width="{width}" height="{top}"/>'
    own = [] if inline else [f"<style>{SVG_STYLE}</style>", page]
    return "\n".join([head, f"<title>{escape(title)}</title>", *own, *parts, "</svg>", ""])


def _svg_turn(picture: Waterfall, first: int) -> list[str]:
    scale = _WIDE / (picture.last_ms - picture.first_ms)

    def x(at_ms: float) -> float:
        return _LABEL + min(max(0.0, (at_ms - picture.first_ms) * scale), float(_WIDE))

    last = first + _ROW * len(picture.bars)
    parts: list[str] = []
    for tick_ms in _ticks(picture):
        at = x(tick_ms)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{first - 6}" y2="{last}"/>')
        parts.append(f'<text class="dim" x="{at:.1f}" y="{last + 16}" text-anchor="middle">{tick_ms:g} ms</text>')
    for number, bar in enumerate(picture.bars):
        y = first + _ROW * number
        kind, at = "thesis" if bar.thesis else "stage", x(bar.start_ms)
        wide = max(2.0, x(bar.end_ms) - at)
        parts.append(f'<text class="dim" x="{_LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(bar.name)}</text>')
        parts.append(f'<rect class="{kind}" x="{at:.1f}" y="{y + 3}" width="{wide:.1f}" height="14" rx="2"/>')
        parts.append(f'<text class="dim" x="{_LABEL + _WIDE + 8}" y="{y + 14}">{bar.length}</text>')
    if picture.total_ms is not None:
        at = x(picture.total_ms)
        parts.append(f'<line class="total" x1="{at:.1f}" x2="{at:.1f}" y1="{first - 6}" y2="{last}"/>')
        words = f"{picture.total_ms:.0f} ms to the first sound"
        parts.append(f'<text x="{at:.1f}" y="{first - 10}" text-anchor="middle">{words}</text>')
    return parts


def _ticks(picture: Waterfall) -> list[float]:
    """Round moments, some five of them."""
    length = picture.last_ms - picture.first_ms
    step = next((step for step in (20, 50, 100, 200, 500, 1000, 2000, 5000) if length / step <= 7), 10_000)
    first = step * math.ceil(picture.first_ms / step)
    return [float(tick) for tick in range(first, int(picture.last_ms) + 1, step)]
