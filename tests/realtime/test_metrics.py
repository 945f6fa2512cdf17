"""`sottovoce live --metrics-port` on a sound card in software: scraped while it listens, speaks and is slow."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import numpy as np
import pytest

from sottovoce.app.demo import speak_question
from tests.realtime.test_live import live
from tests.support.soundcard import SoundCard, wait_until

parser = pytest.importorskip("prometheus_client.parser", reason="needs the extra `metrics`")

pytestmark = [pytest.mark.slow, pytest.mark.device, pytest.mark.timeout(120)]


def scrape(url: str) -> dict[tuple[str, ...], float]:
    """Every figure, by its name and the values of its labels, in the order of their names."""
    with urllib.request.urlopen(url, timeout=10.0) as answer:
        page = answer.read().decode()
    families = parser.text_string_to_metric_families(page)
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def test_session_tells_of_its_engine_and_of_the_turn_that_it_answered(sound_card: SoundCard, tmp_path: Path) -> None:
    sound_card.listen_to("vs44")
    asked = speak_question("How much does it cost?")
    with live("--output", "vs48", "--metrics-port", "0", "--set", f"session.path={tmp_path / 's.db'}") as session:
        url = session.wait_for("Metrics are at").split()[-1]
        with sound_card.playing(np.concatenate([asked, np.zeros(16_000, np.float32)]), 16_000, "vs44"):
            session.wait_for("How much does it cost?")
        wait_until(lambda: scrape(url)["sottovoce_turns_total", "spoken"] == 1.0, 30.0, "a turn")
        told = scrape(url)
        assert told["sottovoce_turn_response_seconds_count",] == 1.0
        assert 0.0 < told["sottovoce_turn_response_seconds_sum",] < 30.0
        for direction in ("input", "output"):
            blocks = told["sottovoce_stream_blocks_total", direction]
            assert blocks > 10.0
            # a scrape is no moment in which everything stands still, and durations are of the newest stream
            assert 0.0 < told["sottovoce_stream_callback_seconds_count", direction] <= blocks + 10.0
            assert told["sottovoce_stream_callback_seconds_sum", direction] > 0.0
        assert told["sottovoce_backend_calls_total", "pocketsphinx", "asr"] >= 1.0
        assert told["sottovoce_backend_state", "notes", "llm"] == 1.0
        assert told["sottovoce_budget_spent_usd", "session"] == 0.0
        code, _, _ = session.interrupt()
    assert code == 0
