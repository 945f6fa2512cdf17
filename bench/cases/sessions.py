"""How soon sessions are stored, found, listed and deleted in a database of some years.

200 sessions (20 with ``--quick``) of 150 utterances each and six decisions of the turn machine for each of those, as a
conversation has them. Words are drawn from the texts of this repository, so that some are rare and some are everywhere.
Figures are medians; ``search_*`` gives 20 sessions with three passages each, newest first.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sottovoce.session.records import MachineStep, SpeakerKind, UtteranceHeard
from sottovoce.session.store import QUEUE_CAPACITY, SessionStore

TARGETS = {"search_two_words_ms": ("<=", 100.0), "search_rare_ms": ("<=", 20.0), "list_ms": ("<=", 20.0)}

SESSIONS, QUICK_SESSIONS = 200, 20
TEXTS, STEPS, WORDS = 150, 6, 12
REPEATS = 9

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_STEP = MachineStep({"event": "heard", "number": 1, "settled": True}, ("think 1",))


def run(quick: bool) -> dict[str, float]:
    """Fill a database, and look for things in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sessions.db"
        with SessionStore(path) as store:
            sessions = QUICK_SESSIONS if quick else SESSIONS
            started_s = time.perf_counter()
            for number in range(sessions):
                _talk(store, number)
            stored_s = time.perf_counter() - started_s
            figures = {
                "sessions": sessions,
                "texts": sessions * TEXTS,
                "database_mb": path.stat().st_size / 1e6,
                "events_per_s": sessions * TEXTS * (1 + STEPS) / stored_s,
                "lost": store.lost,
                "list_ms": _median_ms(lambda: store.sessions(50)),
                "search_rare_ms": _median_ms(lambda: store.search("rarity3x7")),
                "search_two_words_ms": _median_ms(lambda: store.search("stream device")),
                "search_common_ms": _median_ms(lambda: store.search("the")),
                "search_best_ms": _median_ms(lambda: store.search("stream device", best_first=True)),
                "read_session_ms": _median_ms(lambda: store.session(3)),
            }
            started_s = time.perf_counter()
            store.delete(3)
            figures["delete_ms"] = 1e3 * (time.perf_counter() - started_s)
    return figures


def _talk(store: SessionStore, number: int) -> None:
    """A session; it waits where the queue would drop what is oldest."""
    chance = random.Random(number)
    words = _words()
    session_id = store.start_session("live")
    for text in range(TEXTS):
        said = " ".join([*chance.choices(words, k=WORDS), f"rarity{number}x{text}"])
        store.append(session_id, UtteranceHeard(text, float(text), text + 1.0, SpeakerKind.OTHER, said))
        for _ in range(STEPS):
            store.append(session_id, _STEP)
        if text * (1 + STEPS) % (QUEUE_CAPACITY // 4) < 1 + STEPS:
            store.flush(60.0)
    store.flush(60.0)
    store.end_session(session_id, "ended")


@cache
def _words() -> list[str]:
    texts = (file.read_text(encoding="utf-8") for file in sorted(_DOCS.glob("*.md")))
    return [word for text in texts for word in text.split() if word.isalpha()]


def _median_ms(call: Callable[[], object]) -> float:
    times_s = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - started_s)
    return 1e3 * statistics.median(times_s)
