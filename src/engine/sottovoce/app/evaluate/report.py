"""The report as a table, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sottovoce.app.evaluate.measure import Figure, Heard, Summary

if TYPE_CHECKING:
    from rich.table import Table

#: Figures by what they are called in a table and in words, in the order of the path from sound to note.
FIGURES = {
    "vad_accuracy": ("VAD right", "share of 10 ms frames in which speech and silence were told apart"),
    "vad_false_alarm": ("false alarm", "share of the frames without speech that were taken for speech"),
    "word_error_rate": ("words wrong", "words replaced, missed or added, over words said"),
    "false_text": ("false text", "share of the recordings without speech of which words were made"),
    "equal_error_rate": ("EER", "where own voices refused and other voices accepted are equally many"),
    "own_called_other": ("own missed", "share of own voices that a session would take for another's"),
    "other_called_own": ("other missed", "share of other voices that a session would take for one's own"),
    "hit_at_1": ("hit@1", "share of the questions whose right note came first"),
    "hit_at_5": ("hit@5", "share of those whose right note was among five"),
    "false_note": ("false note", "share of the questions without an answer that got one"),
}

FORMAT = 1


def table(summaries: Sequence[Summary]) -> Table:
    """A row for each condition: percent with the 95 % interval, and the trials below."""
    from rich import box
    from rich.table import Table

    shown = [key for key in FIGURES if any(key in summary.figures for summary in summaries)]
    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        caption_justify="left",
    )
    made.add_column("condition", overflow="fold")
    made.add_column("recordings", justify="right")
    for key in shown:
        made.add_column(FIGURES[key][0], justify="right", no_wrap=True)
    made.add_column("work / s", justify="right")
    made.caption = "\n".join(["% \\[95 % interval] of trials", *_advice(summaries)])
    for summary in summaries:
        cells = [_cell(summary.figures.get(key)) for key in shown]
        speed = f"{summary.work_s / summary.length_s:.2f}" if summary.length_s else ""
        made.add_row(summary.condition, str(summary.recordings), *cells, speed)
    return made


def _advice(summaries: Sequence[Summary]) -> list[str]:
    """Which certainty to set, by all recordings."""
    compared = summaries[0].voices if summaries else None
    if compared is None:
        return []
    if compared.advice is None:
        return [
            "speaker.certainty: no advice; it takes 100 comparisons of each kind, and voices that can be told apart"
        ]
    advice = compared.advice
    return [
        f"speaker.certainty = {advice.certainty:.2f} would mistake at most 1 % of either: it knows "
        f"{100 * advice.own_known:.0f} % of the own voices and {100 * advice.others_known:.0f} % of the others for sure"
    ]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{100 * figure.value:.1f}\n[{100 * figure.low:.0f}, {100 * figure.high:.0f}]\nof {figure.trials}".replace(
        "[", "\\["
    )


def as_json(summaries: Sequence[Summary], heard: Sequence[Heard], parts: dict[str, str], whole: bool) -> object:
    """Everything that was found, as one document; ``whole`` is False if it was interrupted."""
    return {
        "format": FORMAT,
        "whole": whole,
        "parts": parts,
        "conditions": [_summary(summary) for summary in summaries],
        "recordings": [_heard(one) for one in heard],
    }


def _summary(summary: Summary) -> dict[str, object]:
    compared = summary.voices
    curve = None if compared is None else compared.curve
    return {
        "condition": summary.condition,
        "recordings": summary.recordings,
        "length_s": round(summary.length_s, 3),
        "work_s": round(summary.work_s, 3),
        **{key: asdict(figure) for key, figure in summary.figures.items()},
        "advice": None if compared is None or compared.advice is None else asdict(compared.advice),
        "curve": None
        if curve is None
        else [
            {
                "threshold": threshold if math.isfinite(threshold) else None,
                "false_accept": accept,
                "false_reject": reject,
            }
            for threshold, accept, reject in zip(
                curve.thresholds.tolist(), curve.false_accepts.tolist(), curve.false_rejects.tolist(), strict=True
            )
        ],
    }


def _heard(heard: Heard) -> dict[str, object]:
    item = heard.item
    return {
        "file": item.name,
        "condition": item.condition,
        "speaker": item.speaker,
        "length_s": round(heard.length_s, 3),
        "work_s": round(heard.work_s, 3),
        "transcript": item.transcript,
        "heard": heard.text,
        "confidence": heard.confidence,
        "words": None if heard.words is None else asdict(heard.words),
        "frames": None if heard.frames is None else asdict(heard.frames),
        "rank": heard.rank,
    }
