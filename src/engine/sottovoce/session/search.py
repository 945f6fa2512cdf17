"""Full-text search over what was said and answered: SQLite's FTS5, kept in step by the database itself.

Whatever program appends an event, triggers put its text into the table ``texts`` and its words into the index
``words``, and take both out again with the session. What a transcript policy does not keep is in neither.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from sottovoce.session.records import HitKind, SearchHit

#: Terms of a query that count; more narrow nothing down.
MOST_TERMS = 32
#: Characters of a word that count.
MOST_CHARS = 64
#: Words around a hit that are shown.
SNIPPET_WORDS = 16
#: The greatest id there can be.
MOST_ID = 2**63 - 1

# A thesis is appended anew with every change of its state: it is one text, and a later one takes its place.
# char(2) and char(3) mark what is found.
_TEXT_OF_EVENT = """
    INSERT INTO texts (session_id, kind, turn, number, at_s, text)
    SELECT {row}.session_id, {row}.kind,
           coalesce(json_extract({row}.body, '$.turn'), 0),
           coalesce(json_extract({row}.body, '$.number'), json_extract({row}.body, '$.utterance'), 0),
           coalesce(json_extract({row}.body, '$.start_s'), ({row}.at_ns - sessions.origin_ns) / 1e9),
           replace(replace(json_extract({row}.body, '$.text'), char(2), ''), char(3), '')
      FROM {source}
     WHERE sessions.id = {row}.session_id AND {row}.kind IN ('utterance', 'thesis')
           AND CASE WHEN json_valid({row}.body) THEN json_type({row}.body, '$.text') END = 'text'
     {order}
    ON CONFLICT (session_id, kind, turn, number) DO UPDATE SET at_s = excluded.at_s, text = excluded.text
"""
_OF_NEW_EVENT = _TEXT_OF_EVENT.format(row="new", source="sessions", order="")
_OF_ALL_EVENTS = _TEXT_OF_EVENT.format(row="events", source="events, sessions", order="ORDER BY events.id")

#: Tables and triggers, filled from the sessions that are there already.
SCHEMA = f"""
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        turn INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at_s REAL NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (session_id, kind, turn, number)
    );
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'texts', content_rowid = 'id', prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER texts_added AFTER INSERT ON texts BEGIN
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER texts_changed AFTER UPDATE OF text ON texts WHEN old.text <> new.text BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER texts_removed AFTER DELETE ON texts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
    END;
    CREATE TRIGGER events_put_into_words AFTER INSERT ON events WHEN new.kind IN ('utterance', 'thesis') BEGIN
        {_OF_NEW_EVENT};
    END;
    {_OF_ALL_EVENTS};
"""

#: Make the index anew from the texts.
REBUILD = "INSERT INTO words (words) VALUES ('rebuild')"

#: A deleted word stays in the index, marked as deleted, until its parts are merged; this merges all of them.
FORGET = "INSERT INTO words (words) VALUES ('optimize')"

_LIKELIHOOD = """
SELECT texts.session_id, words.rowid, words.rank
  FROM words CROSS JOIN texts ON texts.id = words.rowid CROSS JOIN sessions ON sessions.id = texts.session_id
 WHERE words MATCH ? AND {condition}
"""
_SNIPPET = """
SELECT texts.kind, texts.turn, texts.number, texts.at_s, snippet(words, 0, char(2), char(3), '…', ?)
  FROM words CROSS JOIN texts ON texts.id = words.rowid
 WHERE words MATCH ? AND words.rowid = ?
"""

_CHUNK = re.compile(r'"([^"]*)"|([^\s"]+)')
# What the tokenizer of the index takes for a word: letters and figures.
_WORD = re.compile(r"[^\W_]+")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_MARKED = re.compile("\x02([^\x03]*)\x03")
#: A stem that is shorter says nothing.
_LEAST_STEM = 3


def expression(query: str) -> str:
    """What FTS5 is asked for ``query``; empty if there is no word in it.

    Every word has to occur, in whatever order, as the beginning of a word: endings do not matter (Snowball's stems,
    English and Russian), nor do case, accents of Latin letters, and ё for е. What stands in quotes has to occur as it
    stands there. Nothing in a query is an operator, so no text is an error.
    """
    terms: list[str] = []
    for quoted, loose in _CHUNK.findall(unicodedata.normalize("NFC", query)):
        words = [word[:MOST_CHARS] for word in _WORD.findall(quoted or loose)][:MOST_TERMS]
        if words and len(terms) < MOST_TERMS:
            terms.append(_any_of(_forms(words[0]) if loose and len(words) == 1 else _phrases(words, begun=bool(loose))))
    return " AND ".join(terms)


def _any_of(terms: Sequence[str]) -> str:
    return f"({' OR '.join(terms)})"


def _forms(word: str) -> list[str]:
    """A word as it may stand in a text, or begin there."""
    if len(word) == 1:
        return [f'"{spelled}"' for spelled in _spellings(word)]
    stem = _stem(word)
    beginnings = [word, stem] if len(stem) >= _LEAST_STEM else [word]
    if stem.endswith("i"):  # that of "batteries" is "batteri", as if that were how "battery" begins
        beginnings.append(f"{stem[:-1]}y")
    spellings = dict.fromkeys(spelled for beginning in beginnings for spelled in _spellings(beginning))
    return [f'"{spelled}"*' for spelled in spellings]


def _phrases(words: Sequence[str], *, begun: bool) -> list[str]:
    """Words that stand one behind the other, the last of them perhaps only begun: "don't" and "3.5" are two each."""
    plain = [_plain(word) for word in words]
    one_changed = (
        [*plain[:place], spelled, *plain[place + 1 :]]
        for place, word in enumerate(words)
        for spelled in _spellings(word)
    )
    variants = [plain, list(words), *one_changed]
    return list(dict.fromkeys(f'"{" ".join(variant)}"{"*" * begun}' for variant in variants))


def _plain(word: str) -> str:
    return word.lower().replace("ё", "е")


def _spellings(word: str) -> list[str]:
    """A word with е for every ё, with ё for one е, and as it is: hardly a word has two, and few people write any."""
    plain = _plain(word)
    changed = [f"{plain[:place]}ё{plain[place + 1 :]}" for place, letter in enumerate(plain) if letter == "е"]
    return list(dict.fromkeys([plain, *changed, word.lower()]))


def _stem(word: str) -> str:
    from Stemmer import Stemmer  # one for each call: they serve one thread at a time, and are made in microseconds

    return str(Stemmer("russian" if _CYRILLIC.search(word) else "english").stemWord(_plain(word)))


def condition_of(before: int | None, since: datetime | None, until: datetime | None) -> tuple[str, list[object]]:
    """A condition on ``sessions``, and its values: with a smaller id, begun at ``since`` or later, before ``until``."""
    wanted = {
        "sessions.id < ?": None if before is None else min(before, MOST_ID),
        "sessions.started >= ?": None if since is None else moment(since),
        "sessions.started < ?": None if until is None else moment(until),
    }
    given = {condition: value for condition, value in wanted.items() if value is not None}
    return " AND ".join(given) or "TRUE", list(given.values())


def moment(when: datetime) -> str:
    """A time of day as it stands in the database, where later ones are greater; without a zone it is the wearer's."""
    with suppress(OverflowError, ValueError):  # the first and the last day of all: an hour is nothing to them
        when = when.astimezone(UTC)
    return when.isoformat(timespec="milliseconds")


def fitting(
    connection: sqlite3.Connection, wanted: str, condition: str, values: Sequence[object]
) -> dict[int, list[tuple[float, int]]]:
    """By session: how well each of its texts fits (BM25: the less, the better), and its row; the best first."""
    found: dict[int, list[tuple[float, int]]] = {}
    for session_id, row, rank in connection.execute(_LIKELIHOOD.format(condition=condition), (wanted, *values)):
        found.setdefault(session_id, []).append((rank, row))
    for ranked in found.values():
        ranked.sort()
    return found


def hit(connection: sqlite3.Connection, wanted: str, row: int) -> SearchHit:
    """The passage of a text in which the words were found."""
    kind, turn, number, at_s, marked = connection.execute(_SNIPPET, (SNIPPET_WORDS, wanted, row)).fetchone()
    pieces = ((piece, place % 2 == 1) for place, piece in enumerate(_MARKED.split(marked)))
    return SearchHit(HitKind(kind), turn or None, number, at_s, tuple(piece for piece in pieces if piece[0]))
