"""RealtimeSanitizer, in a Python that embeds it, watches the callbacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.realtime.proofs.building import (
    Outcome,
    build_embedding_python,
    check_nothing_was_left_out,
    clang_with_realtime_sanitizer,
    run_scenario,
)

REPORT = "ERROR: RealtimeSanitizer"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedding")
    return build_embedding_python(folder, clang_with_realtime_sanitizer(folder))


def run(python: Path, which: str) -> Outcome:
    # the names of the functions are for a person who looks for the cause; without them it is quicker
    return run_scenario(python, which, {"RTSAN_OPTIONS": "halt_on_error=false:symbolize=false"})


def test_sanitizer_has_nothing_to_report_of_the_callbacks(python: Path) -> None:
    outcome = run(python, "native")
    check_nothing_was_left_out(outcome)
    assert REPORT not in outcome.said, outcome.said
    assert outcome.returncode == 0, outcome.said


def test_sanitizer_reports_a_numpy_callback(python: Path) -> None:
    outcome = run(python, "numpy")
    assert outcome.went["playback"]["blocks"] == 100
    assert outcome.said.count(REPORT) > 3
    assert "pthread_mutex_lock" in outcome.said
