"""Two hours of conversation, many times faster than they would take: nothing grows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from sottovoce.app.journal import Journal
from sottovoce.app.show import Screen
from sottovoce.core.types import Mono
from sottovoce.session.store import SessionStore
from sottovoce.speech.asr.base import Transcript
from tests.support.soak import Recognizer, findings, hold


class Hoarder(Recognizer):
    """Keeps what it has heard."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.hoard: list[Mono] = []

    def understand(self, number: int) -> Transcript:
        self.hoard.append(np.zeros(20_000, np.float32))
        return super().understand(number)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("hours", [0.03, pytest.param(2.0, marks=pytest.mark.slow)])
def test_nothing_grows_in_hours_of_conversation(tmp_path: Path, caplog: pytest.LogCaptureFixture, hours: float) -> None:
    caplog.set_level("ERROR", "sottovoce")  # what is logged is kept by pytest, and would count
    with SessionStore(tmp_path / "sessions.db") as store, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, force_terminal=True, width=100)
        with Screen(console, realtime=True, keep=False) as screen:
            journal = Journal(store, store.start_session("soak"), time.monotonic_ns())
            readings = hold(3600.0 * hours, (screen, journal))
    last = readings[-1]
    assert last.turns > 250 * hours
    assert min(last.taken, last.in_vain) > 50 * hours, "answers are begun before their questions are over"
    assert findings(readings) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_growth_is_found() -> None:
    found = findings(hold(1200.0, (), (Hoarder(1), Hoarder(2))))
    assert any(finding.startswith("memory grew") for finding in found)
    assert any(".hoard grew" in finding for finding in found)
