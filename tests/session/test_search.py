"""Sessions are found by what was said and answered in them, and by nothing that is no longer there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.core.errors import StoreError
from sottovoce.session.records import HitKind, QuestionAccepted, ThesisChanged, ThesisStatus, UtteranceHeard
from sottovoce.session.search import MOST_TERMS, expression
from sottovoce.session.store import SessionStore
from tests.session.samples import ORIGIN_NS, SECRET, HeldClock, S, conversation, heard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "sessions.db"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    with SessionStore(path, clock=HeldClock()) as opened:
        yield opened


def say(store: SessionStore, *texts: str) -> int:
    session_id = store.start_session("live")
    for number, text in enumerate(texts, start=1):
        store.append(session_id, heard(number, text))
    assert store.flush()
    return session_id


def found(store: SessionStore, query: str) -> list[int]:
    return [session.summary.id for session in store.search(query)]


def test_what_was_asked_and_answered_is_found_with_its_place(store: SessionStore) -> None:
    session_id = store.start_session("live")
    for at_s, event in conversation():
        store.append(session_id, event, ORIGIN_NS + at_s * S)
    assert store.flush()
    (asked,) = store.search("launch")
    (hit,) = asked.hits
    assert (asked.summary.id, asked.summary.title, asked.count) == (session_id, "When do we launch?", 1)
    assert (hit.kind, hit.turn, hit.number, hit.at_s) == (HitKind.UTTERANCE, None, 1, 10.0)
    assert hit.parts == (("When do we ", False), ("launch", True), ("?", False))
    (answered,) = store.search("third")
    (hit,) = answered.hits
    assert (hit.kind, hit.turn, hit.number, hit.at_s) == (HitKind.THESIS, 1, 1, 14.5)
    assert hit.text == "On the third of June"


FORMS = [
    ("когда запуск проекта", "запуска"),
    ("сроки запуска", "запуск"),
    ("ЕЩЁ раз о деньгах", "еще"),
    ("еще раз о деньгах", "ещё"),
    ("трёхколёсный велосипед", "трёхколёсный"),
    ("the batteries last two years", "battery"),
    ("how long does the battery last", "batteries"),
    ("we launched it", "launches"),
    ("un café à Zürich", "cafe zurich"),
    ("don't panic", "don't"),
    ("it costs 3.5 million", "3.5"),
    ("an e-mail to Anna", "e-mai"),
    ("searched while it is typed", "searc"),
    ("one two three", "three one"),
    ("one two three", '"two three"'),
    ("🙂 smile", "🙂 smile"),
]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SessionStore, list[int]]]:
    """A store in which each text of FORMS was said in a session of its own."""
    with SessionStore(tmp_path_factory.mktemp("said") / "sessions.db") as store:
        say(store, "a text of its own")
        yield store, [say(store, text) for text, _ in FORMS]


@pytest.mark.parametrize("number", range(len(FORMS)), ids=[query for _, query in FORMS])
def test_words_are_found_in_whatever_form(said: tuple[SessionStore, list[int]], number: int) -> None:
    store, sessions = said
    ids = found(store, FORMS[number][1])
    assert sessions[number] in ids
    assert len(ids) <= 2, "and no others, but for the other half of a pair"


def test_every_word_has_to_be_there_and_quoted_ones_as_they_stand(store: SessionStore) -> None:
    say(store, "the red house", "the blue door")
    assert found(store, "red house")
    assert not found(store, "red door")
    assert not found(store, '"house red"')
    assert not found(store, '"red hous"')


@pytest.mark.parametrize(
    "query",
    [
        "",
        '"',
        '"" "',
        "*",
        "AND",
        "NOT zebra",
        "NEAR(a b, 2)",
        "text : zebra",
        "^zebra + - {x} (((",
        "'; DROP TABLE texts; --",
        "\x00\x02\x03",
        "\ud800",
        "🦓" * 100,
        "zebra " * 2000,
        "z" * 10_000,
        '"' + "е" * 10_000 + '"',
        '"ё ' * 3000,
    ],
)
def test_any_text_may_be_searched_for(said: tuple[SessionStore, list[int]], query: str) -> None:
    assert found(said[0], query) == []
    assert len(found(said[0], "own")) == 1


@settings(max_examples=100, deadline=None)
@given(query=st.text() | st.text(alphabet='"*^:()-+ANDORabеё. '))
def test_no_text_is_an_error(said: tuple[SessionStore, list[int]], query: str) -> None:
    said[0].search(query)


def test_long_query_counts_as_far_as_it_may() -> None:
    assert expression("word " * 1000).count(" AND ") == MOST_TERMS - 1
    assert expression("🙂 ...") == ""


def test_thesis_that_changes_is_found_once_and_by_its_last_text(store: SessionStore) -> None:
    session_id = store.start_session("live")
    made = ThesisChanged(1, 1, "in June", "Launch (plan.md)", ThesisStatus.MADE)
    for event in (made, replace(made, status=ThesisStatus.PLAYING, start_s=3.0), replace(made, text="in July")):
        store.append(session_id, event)
    assert store.flush()
    (session,) = store.search("july")
    assert session.count == 1
    assert found(store, "june") == []


@pytest.mark.parametrize("policy", ["redact", "off"])
def test_what_is_not_kept_is_not_found(path: Path, policy: str) -> None:
    with SessionStore(path, transcripts=policy) as store:
        say(store, "a text of its own")
        assert found(store, "own") == []
        assert store.sessions()[0].title == ""


def test_title_is_the_first_question_else_what_was_said_first(store: SessionStore) -> None:
    session_id = say(store, "hello there", "what does it cost")
    assert store.sessions()[0].title == "hello there"
    store.append(session_id, QuestionAccepted(1, 2))
    store.flush()
    assert store.sessions()[0].title == "what does it cost"


def test_pages_go_on_where_the_one_before_has_ended(store: SessionStore) -> None:
    ids = [say(store, f"zebra number {number}") for number in range(7)][::-1]
    pages: list[list[int]] = []
    before = None
    while page := store.search("zebra", limit=3, before=before):
        pages.append([session.summary.id for session in page])
        before = pages[-1][-1]
    assert pages == [ids[:3], ids[3:6], ids[6:]]
    assert [summary.id for summary in store.sessions(limit=2, before=ids[1])] == ids[2:4]
    assert store.sessions(before=2**70)[0].id == ids[0]


def test_best_first_puts_those_that_fit_best_first(store: SessionStore) -> None:
    best = say(store, "zebra zebra zebra")
    say(store, "once upon a time a zebra and a lion went for a very long walk in the park with nobody else")
    assert store.search("zebra", best_first=True)[0].summary.id == best
    assert store.search("zebra")[0].summary.id != best


def test_sessions_are_filtered_by_day(store: SessionStore) -> None:
    session_id = say(store, "zebra")
    day, now = timedelta(days=1), datetime.now(UTC)
    assert [session.summary.id for session in store.search("zebra", since=now - day, until=now + day)] == [session_id]
    assert store.search("zebra", since=now + day) == ()
    assert store.search("zebra", until=now - day) == ()
    assert store.sessions(until=now - day) == ()
    assert len(store.sessions(since=datetime.min, until=datetime.max)) == 1


def test_hits_are_as_many_as_wanted_and_all_are_counted(store: SessionStore) -> None:
    say(store, *(f"zebra {number}" for number in range(10)))
    (session,) = store.search("zebra", most_hits=2)
    assert (len(session.hits), session.count) == (2, 10)


def test_marks_of_the_index_that_were_said_confuse_nobody(store: SessionStore) -> None:
    say(store, "a \x02zebra\x03 \x02 walks \x03")
    (session,) = store.search("zebra")
    assert "".join(piece for piece, is_match in session.hits[0].parts if is_match) == "zebra"


def parts_of_words(path: Path, pattern: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, 'row')")
        return int(connection.execute("SELECT count(*) FROM terms WHERE term LIKE ?", (pattern,)).fetchone()[0])


def test_deleted_session_leaves_no_word_in_the_index(store: SessionStore, path: Path) -> None:
    others = [say(store, *(f"zebra {number} walks" for number in range(50))) for _ in range(3)]
    session_id = store.start_session("live")
    for number in range(60):
        store.append(session_id, heard(number, f"{SECRET} {number} quagmire{number}"))
        if number % 7 == 0:
            assert store.flush()  # several parts of the index
    assert store.flush()

    def stored() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert b"uagmire" in stored()
    assert parts_of_words(path, "quagmire%") == 60
    store.delete(session_id)
    for trace in (b"uagmire", b"anzibar"):
        assert trace not in stored()
    assert parts_of_words(path, "quagmire%") == 0
    assert found(store, "zebra") == others[::-1]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        assert connection.execute("SELECT count(*) FROM texts").fetchone() == (150,)


def test_session_is_found_while_another_store_writes_it(store: SessionStore, path: Path) -> None:
    with SessionStore(path) as other:
        session_id = other.start_session("live")
        other.append(session_id, UtteranceHeard(1, 0.0, 1.0, heard(1, "").speaker, "a zebra runs"))
        assert other.flush()
        assert found(store, "zebra") == [session_id]


def test_damaged_index_is_an_error_and_is_made_anew_by_what_is_stored_next(store: SessionStore, path: Path) -> None:
    first = say(store, "a zebra walks")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM words_data WHERE id = 10")
        connection.commit()
    with pytest.raises(StoreError, match="index of words is damaged") as raised:
        store.search("zebra")
    assert "made anew" in raised.value.hint
    assert store.session(first).utterances
    second = say(store, "a zebra runs")
    assert found(store, "zebra") == [second, first]
    assert (store.lost, store.failure) == (0, None)
