"""A session as Markdown, JSON or subtitles; pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sottovoce.session.records import (
    SessionRecord,
    SessionSummary,
    ThesisRecord,
    ThesisStatus,
    TurnRecord,
    UtteranceRecord,
    Words,
)

#: Version of the shape of :func:`to_trace`.
TRACE_FORMAT = 1

#: Version of the shape of :func:`to_json`; grows only when a field changes its meaning or goes.
JSON_FORMAT = 1


def to_json(record: SessionRecord) -> str:
    """The session as JSON.

    One object: ``format`` (this version), ``session`` (``id``, ``kind``, ``started``, ``ended``, ``outcome``,
    ``title``, ``notes``, ``transcripts``, ``settings``, ``versions``, ``cost``), ``utterances``, ``turns``,
    ``speculations``, ``spending``, ``events`` and ``engine``. Fields are those of :mod:`sottovoce.session.records` and
    :mod:`sottovoce.session.spending`; a text that was not kept is ``null``, beside its ``length`` if that was kept.
    Times of day are ISO 8601 in UTC, everything else is seconds since the session began (``_s``) or a length in
    milliseconds (``_ms``). Later versions may add fields.
    """
    summary = record.summary
    shape = {
        "format": JSON_FORMAT,
        "session": {
            "id": summary.id,
            "kind": summary.kind,
            "started": summary.started.isoformat(),
            "ended": None if summary.ended is None else summary.ended.isoformat(),
            "outcome": summary.outcome,
            "title": summary.title,
            "notes": summary.notes,
            "transcripts": record.transcripts.value,
            "settings": record.settings,
            "versions": record.versions,
            "cost": asdict(summary.cost),
        },
        "utterances": [_utterance_json(utterance) for utterance in record.utterances],
        "turns": [_turn_json(turn) for turn in record.turns],
        "speculations": [asdict(speculated) for speculated in record.speculations],
        "spending": [asdict(call) for call in record.spending],
        "events": [{"at_s": event.at_s, "kind": event.kind, "detail": event.detail} for event in record.events],
        "engine": [asdict(stream) for stream in record.engine],
    }
    return json.dumps(shape, ensure_ascii=False, indent=2) + "\n"


def to_trace(record: SessionRecord) -> str:
    """What the turn state machine was told and what it decided, as JSON Lines, without a word of what was said.

    The first line has ``format`` (this version) and what the machine was made with; every other ``at_s``, ``event`` and
    ``decided``. `sottovoce replay FILE` lets the machine of this version decide again.
    Empty if nothing of the kind was kept in the session.
    """
    if not record.steps:
        return ""
    made, *steps = record.steps
    lines: list[Mapping[str, object]] = [{"format": TRACE_FORMAT, **made.event}]
    lines += [{"at_s": round(step.at_s, 3), "event": step.event, "decided": step.decided} for step in steps]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def to_markdown(record: SessionRecord) -> str:
    """The session as a page to read: what was heard in order, the theses under the question they answer."""
    lines = [f"# Session {record.summary.id}", "", *_heading_lines(record.summary), ""]
    for utterance in record.utterances:
        lines += _utterance_lines(utterance)
        for turn in record.turns:
            if turn.utterance == utterance.number and not utterance.aside:
                lines += _turn_lines(turn)
        lines.append("")
    heard = {utterance.number for utterance in record.utterances}
    for turn in record.turns:
        if turn.utterance not in heard:
            lines += [f"**{_clock(turn.at_s)}** (a question that was not stored)", *_turn_lines(turn), ""]
    if record.events:
        lines += ["## Events", ""]
        lines += [f"- {_clock(event.at_s)} {event.kind}: {_detail(event.detail)}" for event in record.events]
        lines.append("")
    return "\n".join(lines)


def to_srt(record: SessionRecord) -> str:
    """Subtitles: each utterance while it is said, each thesis while it is heard (SubRip, UTF-8).

    Utterances lie where they were in the input; theses where they sounded, counted from the start of the session, which
    is the same in a conversation. Recordings are answered faster than they last: there, the theses of a question begin
    when it ends, and follow one another.
    """
    cues = [_Cue(said.start_s, said.end_s, f"{said.speaker.value}: {said.words}") for said in record.utterances]
    ends = {said.number: said.end_s for said in record.utterances} if record.summary.kind == "answer" else {}
    for turn in record.turns:
        cues += _thesis_cues(turn, None if turn.utterance is None else ends.get(turn.utterance))
    return _srt(cues)


#: Exporters by the name of their format.
FORMATS: Mapping[str, Callable[[SessionRecord], str]] = {
    "markdown": to_markdown,
    "json": to_json,
    "srt": to_srt,
    "trace": to_trace,
}


@dataclass(frozen=True, slots=True)
class _Cue:
    start_s: float
    end_s: float
    text: str


def _thesis_cues(turn: TurnRecord, from_s: float | None) -> list[_Cue]:
    """The theses of a turn where they sounded, or one after the other from a moment on."""
    cues: list[_Cue] = []
    for thesis in turn.theses:
        if thesis.start_s is not None and thesis.heard_s > 0.0:
            start_s = thesis.start_s if from_s is None else cues[-1].end_s if cues else from_s
            cues.append(_Cue(start_s, start_s + thesis.heard_s, f"> {thesis.words}"))
    return cues


def _srt(cues: Iterable[_Cue]) -> str:
    blocks = []
    for number, cue in enumerate(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s)), start=1):
        text = " ".join(cue.text.replace("-->", "->").split())  # a blank line or an arrow would end the cue
        blocks.append(f"{number}\n{_timecode(cue.start_s)} --> {_timecode(cue.end_s)}\n{text}\n")
    return "\n".join(blocks)


def _timecode(at_s: float) -> str:
    seconds, ms = divmod(round(max(0.0, at_s) * 1000.0), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02},{ms:03}"


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(int(max(0.0, at_s)), 60)
    return f"{minutes:02}:{seconds:02}"


def _heading_lines(summary: SessionSummary) -> list[str]:
    length = "no end noted" if summary.length_s is None else f"{summary.length_s:.0f} s, {summary.outcome}"
    lines = [f"- {summary.kind}, {summary.started:%Y-%m-%d %H:%M:%S} UTC, {length}"]
    if summary.notes:
        lines.append(f"- notes: {summary.notes}")
    return lines


def _utterance_lines(said: UtteranceRecord) -> list[str]:
    ignored = f" _(not answered: {said.ignored})_" if said.ignored else ""
    played = " (played here)" if said.ear == "loopback" else ""
    return [f"**{_clock(said.start_s)} {said.speaker.value}{played}:** {_line(said.words)}{ignored}"]


def _turn_lines(turn: TurnRecord) -> list[str]:
    lines = [""] if turn.theses else []
    lines += [_thesis_line(thesis) for thesis in turn.theses]
    if turn.stages:
        times = ", ".join(f"{stage.name} {stage.ms:.0f} ms" for stage in turn.stages)
        lines += ["", f"_{times}_"]
    return lines


def _thesis_line(thesis: ThesisRecord) -> str:
    source = f" ({_line(thesis.source)})" if thesis.source.text else ""
    status = "" if thesis.status is ThesisStatus.HEARD else f" [{thesis.status.value}]"
    return f"{thesis.number}. {_line(thesis.words)}{source}{status}"


def _line(words: Words) -> str:
    return " ".join(str(words).split())


def _detail(detail: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in detail.items())


def _words_json(words: Words) -> dict[str, Any]:
    return {"text": words.text, "length": words.length}


def _utterance_json(said: UtteranceRecord) -> dict[str, Any]:
    return {
        "number": said.number,
        "start_s": said.start_s,
        "end_s": said.end_s,
        "speaker": said.speaker.value,
        **_words_json(said.words),
        "confidence": said.confidence,
        "language": said.language,
        "backend": said.backend,
        "ignored": said.ignored,
        "aside": said.aside,
        "ear": said.ear,
    }


def _thesis_json(thesis: ThesisRecord) -> dict[str, Any]:
    return {
        "number": thesis.number,
        **_words_json(thesis.words),
        "source": thesis.source.text,
        "status": thesis.status.value,
        "start_s": thesis.start_s,
        "spoken_s": thesis.spoken_s,
        "heard_s": thesis.heard_s,
    }


def _turn_json(turn: TurnRecord) -> dict[str, Any]:
    return {
        "number": turn.number,
        "utterance": turn.utterance,
        "at_s": turn.at_s,
        "question": _words_json(turn.question),
        "outcome": turn.outcome,
        "backend": turn.backend,
        "cost": asdict(turn.cost),
        "theses": [_thesis_json(thesis) for thesis in turn.theses],
        "stages": [
            {"name": stage.name, "start_s": stage.start_ns / 1e9, "length_ms": stage.ms} for stage in turn.stages
        ],
    }
