"""A session without a word of anybody, to be given away: times, figures and errors stay; a pure function."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from sottovoce.session.records import (
    EventRecord,
    SessionRecord,
    StreamHealth,
    ThesisRecord,
    TranscriptPolicy,
    TurnRecord,
    UtteranceRecord,
    Words,
)
from sottovoce.session.spending import Spending

#: What stands in the place of what is not told.
HIDDEN = "[…]"

#: Settings whose text tells nothing of the wearer, by the last part of their names. Numbers and switches all stay.
_PLAIN_SETTINGS = frozenset(
    (
        "advance", "answer_model", "asr_model", "asr_realtime", "backend", "keep_warm", "language", "latency", "level",
        "llm_model", "partials", "prefer_stream_rate", "reflex", "resample_mode", "resample_quality", "speculate",
        "style", "transcripts", "tts_model", "unsure", "voice",
    )
)  # fmt: skip
#: Texts of events that are names of parts and backends, or words of our own.
_PLAIN_DETAILS = frozenset({"backend", "part", "scope", "limit"})

_QUOTED = re.compile(r"(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w))*'(?!\w)|\"[^\"\n]*\"|«[^»\n]*»|“[^”\n]*”")
# A path, an address, or the name of a file or a host: each may have spaces, so that nobody knows where it begins.
_NAMING = re.compile(r"[\\/@]|\w\.[A-Za-z]\w*")


def redacted(record: SessionRecord) -> SessionRecord:
    """``record`` with the length of each text in its place, and without names of notes, files, devices and hosts.

    What is left: when who spoke, how long everything took, what was decided, heard and interrupted, what failed, how
    the engine did, what it cost, settings that are numbers, switches or names of backends, and versions.
    """
    kept = record.transcripts
    return replace(
        record,
        summary=replace(record.summary, notes="", title=""),
        settings={name: _setting(value) for name, value in record.settings.items() if _is_plain(name, value)},
        transcripts=TranscriptPolicy.REDACT if kept is TranscriptPolicy.KEEP else kept,
        utterances=tuple(_utterance(utterance) for utterance in record.utterances),
        turns=tuple(_turn(turn) for turn in record.turns),
        events=tuple(_event(event) for event in record.events),
        spending=tuple(_call(call) for call in record.spending),
        engine=_streams(record.engine),
    )


def scrubbed(message: str) -> str:
    """One of our own messages without what it quotes, and without those of its clauses that name a file or a host."""
    clauses = _QUOTED.sub(HIDDEN, message).split(": ")
    return ": ".join(HIDDEN if _NAMING.search(clause) else clause for clause in clauses)


def _is_plain(name: str, value: object) -> bool:
    return isinstance(value, bool | int | float) or name.rpartition(".")[2] in _PLAIN_SETTINGS


def _setting(value: object) -> object:
    return scrubbed(value) if isinstance(value, str) else value


def _length(words: Words) -> Words:
    return Words(None, words.length)


def _utterance(said: UtteranceRecord) -> UtteranceRecord:
    return replace(said, words=_length(said.words))


def _turn(turn: TurnRecord) -> TurnRecord:
    return replace(turn, question=_length(turn.question), theses=tuple(_thesis(thesis) for thesis in turn.theses))


def _thesis(thesis: ThesisRecord) -> ThesisRecord:
    return replace(thesis, words=_length(thesis.words), source=_length(thesis.source))


def _event(event: EventRecord) -> EventRecord:
    return replace(event, detail={name: _detail(name, value) for name, value in event.detail.items()})


def _detail(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float) or name in _PLAIN_DETAILS:
        return value
    # only messages are sentences of our own: what else a newer version may keep is not known
    return scrubbed(value) if name == "message" and isinstance(value, str) else HIDDEN


def _call(call: Spending) -> Spending:
    own = "." in call.provider or ":" in call.provider  # a host, where no service is paid
    return replace(call, provider="own server") if own else call


def _streams(streams: Iterable[StreamHealth]) -> tuple[StreamHealth, ...]:
    """Devices may be called after their owners; whether one is Bluetooth is known without its name."""
    return tuple(replace(each, device=HIDDEN, recreate_reason=scrubbed(each.recreate_reason)) for each in streams)
