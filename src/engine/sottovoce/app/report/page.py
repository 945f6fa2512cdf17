"""A session as HTML: everything in one file, escaped, without a script; a pure function."""

from __future__ import annotations

import base64
import hashlib
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from sottovoce import __version__
from sottovoce.app.money import shown_cost, shown_waste
from sottovoce.app.report.engine import StreamView, stream_view
from sottovoce.app.show import clock_time
from sottovoce.app.timeline import NAMES, SVG_STYLE, svg, waterfall
from sottovoce.metrics.stages import Span
from sottovoce.session.records import (
    EventRecord,
    SessionRecord,
    ThesisRecord,
    ThesisStatus,
    TranscriptPolicy,
    TurnRecord,
    UtteranceRecord,
)
from sottovoce.session.redaction import redacted
from sottovoce.session.spending import Spending, cost_of

_PARTS = {"asr": "recognition", "llm": "theses", "tts": "speech"}

_REDACTED = (
    "Redacted: no word of anybody is in this page, only the length of each text, and no name of a note, a file, a "
    "device or a host. Times, figures and errors are as they were."
)
_NOT_KEPT = {
    TranscriptPolicy.REDACT: "Of what was said and answered only lengths were kept (session.transcripts).",
    TranscriptPolicy.OFF: "Nothing of what was said and answered was kept (session.transcripts).",
}

#: Lengths of stages, least to most; a share of them at p95.
_P95 = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """What matters at a glance."""

    name: str
    value: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class ThesisView:
    """A thesis; ``state`` is what became of it, in words."""

    number: int
    text: str
    source: str
    status: str
    state: str


@dataclass(frozen=True, slots=True)
class TurnView:
    """The answer to a question; ``picture`` is its waterfall, empty if no time is known."""

    facts: str
    theses: tuple[ThesisView, ...]
    picture: Markup


@dataclass(frozen=True, slots=True)
class SaidView:
    """What was said, and the answers to it."""

    at: str
    speaker: str
    text: str
    language: str
    facts: str
    turns: tuple[TurnView, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the template shows; every text of it is escaped there, but for pictures."""

    title: str
    facts: str
    notice: str
    figures: tuple[Figure, ...]
    said: tuple[SaidView, ...]
    stages: tuple[tuple[str, ...], ...]
    streams: tuple[StreamView, ...]
    costs: tuple[tuple[str, ...], ...]
    cost_note: str
    events: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    maker: str


def report_html(record: SessionRecord, *, redact: bool = False) -> str:
    """The page of a session.

    Parameters
    ----------
    record : SessionRecord
        The session as the store gives it.
    redact : bool
        Leave out all words, and names of notes, files, devices and hosts:
        :func:`sottovoce.session.redaction.redacted`.

    Returns
    -------
    str
        HTML in UTF-8 that needs nothing else, to be sent with :func:`content_security_policy`.
    """
    page = _page(redacted(record) if redact else record, redact=redact)
    return _template().render(page=page, style=Markup(_style()), policy=content_security_policy()) + "\n"


@cache
def content_security_policy() -> str:
    """What a browser may do with the page: show it, in its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return "\n" + _part("style.css") + SVG_STYLE + "\n"


@cache
def _template() -> Template:
    # what is no text of a template is escaped, whatever it says
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_part("page.html.jinja"))


def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _page(record: SessionRecord, *, redact: bool) -> Page:
    summary = record.summary
    length = "no end noted" if summary.length_s is None else f"{clock_time(summary.length_s)} long, {summary.outcome}"
    notes = [f"notes: {summary.notes}"] if summary.notes else []
    streams = tuple(stream_view(stream) for stream in record.engine)
    return Page(
        title=f"Session {summary.id}",
        facts=", ".join([summary.kind, f"{summary.started.astimezone():%Y-%m-%d %H:%M %Z}", length, *notes]),
        notice=_REDACTED if redact else _NOT_KEPT.get(record.transcripts, ""),
        figures=tuple(_figures(record, streams)),
        said=tuple(_conversation(record)),
        stages=tuple(_stages(record.turns)),
        streams=streams,
        costs=tuple(_costs(record.spending)),
        cost_note=" ".join(
            filter(None, ["~ marks an estimate." if summary.cost.estimated else "", shown_waste(summary.cost)])
        ),
        events=tuple((f"{clock_time(event.at_s)}  {event.kind}", _detail(event)) for event in record.events),
        versions=tuple(record.versions.items()),
        settings=tuple(sorted((name, _plain(value)) for name, value in record.settings.items())),
        maker=f"sottovoce {__version__}",
    )


def _figures(record: SessionRecord, streams: Sequence[StreamView]) -> Iterable[Figure]:
    answered = [turn for turn in record.turns if any(thesis.heard_s > 0.0 for thesis in turn.theses)]
    yield Figure("questions answered", f"{len(answered)} of {len(record.turns)}")
    totals = [stage.ms for turn in record.turns for stage in turn.stages if stage.name == Span.TOTAL]
    if totals:
        yield Figure("to the first sound, median", f"{statistics.median(totals):.0f} ms")
    failed = sum(event.kind == "backend-failed" for event in record.events)
    yield Figure("failures of backends", str(failed), bad=failed > 0)
    if streams:
        lost = sum(stream.lost for stream in streams)
        yield Figure("blocks lost or late", str(lost), bad=lost > 0)
    if record.summary.cost.calls:
        yield Figure("cost", shown_cost(record.summary.cost))


def _conversation(record: SessionRecord) -> Iterable[SaidView]:
    """Utterances in order with the turns that they began; turns whose question is not there stand behind."""
    turns: dict[int | None, list[TurnRecord]] = {}
    heard = {said.number for said in record.utterances}
    for turn in record.turns:
        turns.setdefault(turn.utterance if turn.utterance in heard else None, []).append(turn)
    for said in record.utterances:
        yield _said(said, turns.get(said.number, ()))
    for turn in turns.get(None, ()):
        answer = (_turn(turn),)
        yield SaidView(clock_time(turn.at_s), "unknown", "(a question that was not stored)", "", "", answer)


def _said(said: UtteranceRecord, turns: Iterable[TurnRecord]) -> SaidView:
    facts = [
        *([f"not answered: {said.ignored}"] if said.ignored else []),
        *([f"heard by {said.backend}"] if said.backend else []),
        *([f"{100 * said.confidence:.0f} % sure"] if said.confidence is not None else []),
        f"{said.end_s - said.start_s:.1f} s",
    ]
    answers = tuple(_turn(turn) for turn in turns)
    speaker, text = said.speaker.value, str(said.words) or "(nothing understood)"
    return SaidView(clock_time(said.start_s), speaker, text, said.language, ", ".join(facts), answers)


def _turn(turn: TurnRecord) -> TurnView:
    picture = waterfall(turn)
    facts = [
        f"turn {turn.number}",
        *([f"answered by {turn.backend}"] if turn.backend else []),
        turn.outcome or "no end noted",
        *([shown_cost(turn.cost)] if turn.cost.calls else []),
    ]
    drawn = "" if picture is None else svg([picture], f"Stages of turn {turn.number}", inline=True)
    # the picture is of our own making, and escapes what it quotes
    return TurnView(", ".join(facts), tuple(_thesis(thesis) for thesis in turn.theses), Markup(drawn))


def _thesis(thesis: ThesisRecord) -> ThesisView:
    state = thesis.status.value
    if thesis.status is ThesisStatus.INTERRUPTED and thesis.spoken_s > 0.0:
        state = f"interrupted after {thesis.heard_s:.1f} of {thesis.spoken_s:.1f} s"
    elif thesis.heard_s > 0.0:
        state = f"{state}, {thesis.heard_s:.1f} s"
    source = "" if thesis.source.length in (None, 0) else str(thesis.source)
    return ThesisView(thesis.number, str(thesis.words), source, thesis.status.value, state)


def _stages(turns: Sequence[TurnRecord]) -> Iterable[tuple[str, ...]]:
    lengths: dict[str, list[float]] = {}
    for turn in turns:
        for stage in turn.stages:
            lengths.setdefault(stage.name, []).append(stage.ms)
    for span in Span:
        if found := sorted(lengths.get(span, ())):
            p95 = found[math.ceil(_P95 * len(found)) - 1]
            name = NAMES.get(span, "to the first sound")
            yield name, str(len(found)), *(f"{ms:.0f}" for ms in (statistics.median(found), p95, found[-1]))


def _costs(calls: Iterable[Spending]) -> Iterable[tuple[str, ...]]:
    groups: dict[tuple[str, str, str], list[Spending]] = {}
    for call in calls:
        groups.setdefault((call.part, call.provider, call.model), []).append(call)
    for (part, provider, model), group in sorted(groups.items()):
        sound_s = sum(call.audio_s for call in group)
        yield (
            f"{_PARTS.get(part, part)}: {model} ({provider})",
            str(len(group)),
            str(sum(call.input_tokens for call in group)),
            str(sum(call.output_tokens for call in group)),
            f"{sound_s:.1f} s" if sound_s else "",
            str(sum(call.characters for call in group)),
            shown_cost(cost_of(group)),
        )


def _detail(event: EventRecord) -> str:
    return ", ".join(f"{name}: {_plain(value)}" for name, value in event.detail.items())


def _plain(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "on" if value else "off"
        case Mapping():
            return ", ".join(f"{name}: {_plain(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(map(_plain, value))
        case _:
            return str(value)
