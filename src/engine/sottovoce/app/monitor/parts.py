"""Pieces of the picture: bars, meters, histograms, and lines that break between facts."""

from __future__ import annotations

import itertools
import math
import operator
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from rich.text import Text

from sottovoce.audio.report import DurationStats

#: The left end of a meter.
METER_FLOOR_DBFS = -60.0

#: From here on a meter is yellow, and red from the second on.
METER_HIGH_DBFS, METER_CLIP_DBFS = -12.0, -1.0

#: The axis of a histogram of durations, in ns.
HISTOGRAM_NS = (1e2, 1e8)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What a picture is drawn with."""

    parts: str
    empty: str
    peak: str
    steps: str
    dot: str
    between: str
    arrow: str
    micro: str


UNICODE = Glyphs("▏▎▍▌▋▊▉█", "·", "┃", "▁▂▃▄▅▆▇█", "●", " · ", "→", "µ")
ASCII = Glyphs("#", ".", "|", ".:-=+*#@", "*", ", ", "->", "u")


def bar(share: float, width: int, glyphs: Glyphs, style: str = "cyan") -> Text:
    """A bar that is full at 1."""
    filled = min(max(share, 0.0), 1.0) * width
    whole = int(filled)
    part = int((filled - whole) * len(glyphs.parts))
    drawn = glyphs.parts[-1] * whole + (glyphs.parts[part - 1] if part else "")
    return Text.assemble((drawn, style), (glyphs.empty * (width - len(drawn)), "dim"))


def meter(level_dbfs: float, held_dbfs: float, width: int, glyphs: Glyphs) -> Text:
    """A level on a scale from :data:`METER_FLOOR_DBFS` to full scale, with a mark where the last peak was."""

    def cell(dbfs: float) -> int:
        return math.floor((dbfs - METER_FLOOR_DBFS) / -METER_FLOOR_DBFS * width)

    full = min(cell(level_dbfs), width)
    mark = min(cell(held_dbfs), width - 1) if held_dbfs > METER_FLOOR_DBFS else -1
    cells = []
    for at in range(width):
        dbfs = METER_FLOOR_DBFS * (1 - at / width)
        style = "red" if dbfs >= METER_CLIP_DBFS else "yellow" if dbfs >= METER_HIGH_DBFS else "green"
        if at == mark:
            cells.append((glyphs.peak, f"bold {style}"))
        else:
            cells.append((glyphs.parts[-1], style) if at < full else (glyphs.empty, "dim"))
    return _joined(cells)


def histogram(stats: DurationStats, width: int, glyphs: Glyphs, mark_ns: float = 0.0) -> Text:
    """How often each duration was, on a logarithmic axis both ways; a mark where a block is over."""
    counts = [0] * width
    for limit_ns, count in stats.buckets:
        counts[_cell(limit_ns, width)] += count
    most = max(counts, default=0)
    cells = []
    mark = _cell(mark_ns, width) if mark_ns else -1
    for at, count in enumerate(counts):
        over = 0 <= mark <= at
        if count:
            step = round(math.log(count) / math.log(most) * (len(glyphs.steps) - 1)) if most > 1 else 0
            cells.append((glyphs.steps[step], "red" if over else "cyan"))
        else:
            cells.append((glyphs.peak if at == mark else glyphs.empty, "dim"))
    return _joined(cells)


def _joined(cells: Iterable[tuple[str, str]]) -> Text:
    """Characters with their styles; neighbours of one style become one piece, which a slow terminal is glad of."""
    pieces = itertools.groupby(cells, key=operator.itemgetter(1))
    return Text.assemble(*(("".join(glyph for glyph, _ in piece), style) for style, piece in pieces))


def _cell(ns: float, width: int) -> int:
    low, high = (math.log10(limit) for limit in HISTOGRAM_NS)
    share = (math.log10(max(ns, 1.0)) - low) / (high - low)
    return min(max(int(share * width), 0), width - 1)


def duration(ns: float, glyphs: Glyphs = ASCII) -> str:
    """A duration to two or three digits, in the unit that fits: ``7 us``, ``1.2 ms``, ``3.4 s``."""
    for unit, size in (("s", 1e9), ("ms", 1e6)):
        if ns >= 0.9995 * size:
            value = ns / size
            return f"{value:.0f} {unit}" if value >= 99.5 else f"{value:.1f} {unit}"
    value = ns / 1e3
    return f"{value:.0f} {glyphs.micro}s" if value >= 9.95 else f"{value:.1f} {glyphs.micro}s"


def flow(facts: Iterable[Text | str], width: int, between: str) -> Text:
    """Facts one after another, on as many lines as they need, broken only between them."""
    lines: list[Text] = []
    for given in facts:
        fact = given if isinstance(given, Text) else Text(given)
        if lines and lines[-1].cell_len + len(between) + fact.cell_len <= width:
            lines[-1].append(between, "dim").append_text(fact)
        else:
            lines.append(Text().append_text(fact))
    return Text("\n").join(lines)


def sentence(words: str, width: int, style: str = "") -> Text:
    """A sentence, on as many lines as it needs."""
    return Text("\n".join(textwrap.wrap(words, max(width, 20))), style)


def labelled(label: Text, content: Text, indent: int | None = None) -> Text:
    """A label, and content of one or several lines beside it; later ones begin at ``indent``, or below the first."""
    columns = label.cell_len if indent is None else indent
    drawn = Text(no_wrap=True, overflow="crop").append_text(label)
    for number, line in enumerate(content.split("\n", allow_blank=True)):
        drawn.append("\n" + " " * columns if number else "").append_text(line)
    return drawn
