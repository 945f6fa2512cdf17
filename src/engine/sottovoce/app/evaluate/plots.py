"""The report as pictures: drawings that need nothing else, and follow the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from sottovoce.app.evaluate.measure import Summary
from sottovoce.app.evaluate.report import FIGURES

_STYLE = """text{font:13px system-ui,sans-serif;fill:#1b1b1b}.dim{fill:#5c5c5c}.grid{stroke:#d8d8d8}.bar{fill:#2f7f93}
.span{stroke:#1b1b1b;stroke-width:1.5}.page{fill:#fff}.line{fill:none;stroke-width:2}.c0{stroke:#2f7f93}.c1{stroke:#3d8b40}
.c2{stroke:#b3542d}.c3{stroke:#7a4fa3}
@media(prefers-color-scheme:dark){text{fill:#ececec}.dim{fill:#a8a8a8}.grid{stroke:#3a3a3a}.bar{fill:#56b4c9}
.span{stroke:#ececec}.page{fill:#161616}.c0{stroke:#56b4c9}.c1{stroke:#6cc070}.c2{stroke:#e08a60}.c3{stroke:#b08ad6}}"""

_LABEL, _WIDE, _RIGHT, _ROW, _HEAD = 150, 520, 90, 22, 34
_COLOURS = 4

_SIDE, _LEFT, _TOP, _BOTTOM = 360, 64, 40, 56


def bars(summaries: Sequence[Summary]) -> str:
    """A bar for each figure of each condition, from 0 to 100 %, with its 95 % interval."""
    parts: list[str] = []
    top = 8
    for key, (_, meaning) in FIGURES.items():
        rows = [(summary.condition, figure) for summary in summaries if (figure := summary.figures.get(key))]
        if not rows:
            continue
        parts.append(f'<text x="12" y="{top + 18}" font-weight="bold">{escape(meaning)}</text>')
        first, last = top + _HEAD, top + _HEAD + _ROW * len(rows)
        for tick in range(0, 101, 25):
            x = _x(tick / 100)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{first - 4}" y2="{last}"/>')
            parts.append(f'<text class="dim" x="{x:.1f}" y="{last + 16}" text-anchor="middle">{tick} %</text>')
        for number, (name, figure) in enumerate(rows):
            y = first + _ROW * number
            low, high, middle = _x(figure.low), _x(figure.high), y + 10
            parts += [
                f'<text class="dim" x="{_LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
                f'<rect class="bar" x="{_LABEL}" y="{y + 3}" width="{_x(figure.value) - _LABEL:.1f}" height="14"/>',
                f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
                f'<text class="dim" x="{_LABEL + _WIDE + 8}" y="{y + 14}">{100 * figure.value:.1f} %</text>',
            ]
        top = last + 34
    return _document("Figures by condition", _LABEL + _WIDE + _RIGHT, top, parts)


def curves(summaries: Sequence[Summary]) -> str:
    """Own voices refused over other voices accepted, for each condition that has trials of both kinds."""
    drawn = [(summary.condition, summary.voices.curve) for summary in summaries if summary.voices is not None]
    parts = [f'<text x="{_LEFT}" y="22" font-weight="bold">Own voices refused, by other voices accepted</text>']
    for tick in range(0, 101, 20):
        x, y = _LEFT + _SIDE * tick / 100, _TOP + _SIDE * (1 - tick / 100)
        parts += [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _SIDE}"/>',
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text class="dim" x="{x:.1f}" y="{_TOP + _SIDE + 18}" text-anchor="middle">{tick} %</text>',
            f'<text class="dim" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick} %</text>',
        ]
    diagonal = f'x1="{_LEFT}" y1="{_TOP + _SIDE}" x2="{_LEFT + _SIDE}" y2="{_TOP}"'
    parts.append(f'<line class="grid" {diagonal} stroke-dasharray="4 4"/>')
    for number, (condition, curve) in enumerate(drawn):
        points = " ".join(
            f"{_LEFT + _SIDE * accept:.1f},{_TOP + _SIDE * (1 - reject):.1f}"
            for accept, reject in zip(curve.false_accepts, curve.false_rejects, strict=True)
        )
        colour, x, y = f"c{number % _COLOURS}", _LEFT + _SIDE + 16, _TOP + 14 + 20 * number
        rate = 100 * curve.equal_error_rate
        meeting = f'cx="{_LEFT + _SIDE * rate / 100:.1f}" cy="{_TOP + _SIDE * (1 - rate / 100):.1f}"'
        parts += [
            f'<polyline class="line {colour}" points="{points}"/>',
            f'<circle class="line {colour}" {meeting} r="4"/>',
            f'<line class="line {colour}" x1="{x}" x2="{x + 20}" y1="{y - 4}" y2="{y - 4}"/>',
            f'<text x="{x + 28}" y="{y}">{escape(condition)}: EER {rate:.1f} %</text>',
        ]
    return _document("Own and other voices", _LEFT + _SIDE + 260, _TOP + _SIDE + _BOTTOM, parts)


def _x(share: float) -> float:
    return _LABEL + _WIDE * min(max(share, 0.0), 1.0)


def _document(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    page = f'<rect class="page" width="{width}" height="{height}"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", page, *parts, "</svg>", ""])
