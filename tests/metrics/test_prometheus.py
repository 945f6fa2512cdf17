"""The rules and the dashboard that are shipped, in a real Prometheus that scrapes a session."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sottovoce.app.budget import Limits
from sottovoce.app.metrics_command import DASHBOARD, RULES, shipped
from sottovoce.app.money import nano_usd
from sottovoce.assistant import notices
from sottovoce.metrics.catalogue import CATALOGUE
from tests.support.prometheus import Prometheus, expressions, needs_prometheus, prometheus
from tests.support.soundcard import wait_until
from tests.support.watched import WORDS, WatchedSession

pytest.importorskip("prometheus_client", reason="needs the extra `metrics`")

PATIENCE_S = 30.0
ALERTS = Path(__file__).with_name("alerts.yml")


def check(folder: Path, kind: str, text: str) -> subprocess.CompletedProcess[str]:
    """What promtool says of a file."""
    file = folder / "file.yml"
    file.write_text(text, encoding="utf-8")
    return subprocess.run(["promtool", *kind.split(), str(file)], capture_output=True, text=True, check=False)


def within(condition: object, what: str) -> None:
    assert callable(condition)
    wait_until(condition, PATIENCE_S, what)


@needs_prometheus
def test_rules_are_right(tmp_path: Path) -> None:
    said = check(tmp_path, "check rules --lint=all --lint-fatal", shipped(RULES))
    assert said.returncode == 0, said.stdout + said.stderr
    broken = check(
        tmp_path, "check rules", shipped(RULES).replace("histogram_quantile(0.5,", "histogram_quantile(0.5", 1)
    )
    assert broken.returncode != 0


@needs_prometheus
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    """The times are those of the rules as they are shipped; `promtool test rules tests/metrics/alerts.yml`."""
    (tmp_path / "rules.yml").write_text(shipped(RULES), encoding="utf-8")
    said = check(tmp_path, "test rules", ALERTS.read_text(encoding="utf-8"))
    assert said.returncode == 0, said.stdout + said.stderr
    deaf = shipped(RULES).replace("> 0.5 or", "> 500 or")
    (tmp_path / "rules.yml").write_text(deaf, encoding="utf-8")
    assert check(tmp_path, "test rules", ALERTS.read_text(encoding="utf-8")).returncode != 0


def test_every_alert_is_tested() -> None:
    alerts = [line.split(": ")[1] for line in shipped(RULES).splitlines() if line.lstrip().startswith("- alert: ")]
    tested = ALERTS.read_text(encoding="utf-8")
    assert len(alerts) == 7
    assert [alert for alert in alerts if alert not in tested] == []


def test_dashboard_shows_every_metric_or_what_rules_make_of_it() -> None:
    shown = " ".join(expression for _, expression in expressions(shipped(DASHBOARD))) + shipped(RULES)
    names = [metric.name for metrics in CATALOGUE.values() for metric in metrics]
    assert [name for name in names if name not in shown] == []


def test_panels_of_the_dashboard_lie_beside_and_below_one_another() -> None:
    board = json.loads(shipped(DASHBOARD))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith(".")
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.fixture(scope="module")
def session() -> Iterator[WatchedSession]:
    limits = Limits(session_warn=nano_usd(0.5), session_stop=nano_usd(100.0), day_stop=nano_usd(100.0))
    with WatchedSession(limits) as session:
        session.gates[WORDS[2]] = threading.Event()
        yield session


@pytest.fixture(scope="module")
def watching(session: WatchedSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if not shutil.which("prometheus"):
        pytest.skip("no Prometheus: apt-get install prometheus")
    target = f"127.0.0.1:{session.server.port}"
    with prometheus(tmp_path_factory.mktemp("prometheus"), target) as server:
        within(lambda: server.value("count_over_time(sottovoce_session_info[1m])") or 0 >= 2, "two scrapes")
        yield server


@pytest.mark.slow
@needs_prometheus
def test_slow_turn_is_seen_while_it_waits_and_when_it_is_over(session: WatchedSession, watching: Prometheus) -> None:
    turns, heard = (len(session.seen.of(kind)) for kind in (notices.TurnEnded, notices.UtteranceHeard))
    answered = watching.value("sottovoce_turn_response_seconds_count")
    assert answered is not None
    session.ask(1)
    session.seen.wait_for(notices.TurnEnded, turns + 1)
    within(lambda: watching.value("sottovoce_turn_response_seconds_count") == answered + 1.0, "a turn")
    assert "SottovoceAnswerSlow" not in watching.firing()

    session.ask(2)
    session.seen.wait_for(notices.UtteranceHeard, heard + 2)
    session.clock.leap(6.0)
    within(lambda: "SottovoceAnswerSlow" in watching.firing(), "the alert of a turn that waits")

    session.gates[WORDS[2]].set()
    session.seen.wait_for(notices.TurnEnded, turns + 2)
    within(lambda: (watching.value("sottovoce:turns_slow:increase5m") or 0.0) > 0.5, "a slow turn")
    assert watching.value("sottovoce_turn_waiting_seconds") == 0.0
    within(lambda: "SottovoceAnswerSlow" in watching.firing(), "the alert of a turn that was slow")


@pytest.mark.slow
@needs_prometheus
def test_budget_that_is_reached_fires_and_the_one_that_is_not_does_not(
    session: WatchedSession, watching: Prometheus
) -> None:
    session.spend(tokens=1_000_000)
    within(lambda: "SottovoceBudgetNear" in watching.firing(), "the alert")
    assert "SottovoceBudgetSpent" not in watching.firing()


@pytest.mark.slow
@needs_prometheus
def test_backends_that_fail_one_after_another_fire(session: WatchedSession, watching: Prometheus) -> None:
    assert "SottovoceFallbackStorm" not in watching.firing()
    for backend in ("notes", "list") * 3:
        session.pipeline.tell(notices.BackendChanged("llm", backend))
    within(lambda: "SottovoceFallbackStorm" in watching.firing(), "the alert")


@pytest.mark.slow
@needs_prometheus
def test_device_that_moves_nothing_fires(session: WatchedSession, watching: Prometheus) -> None:
    within(lambda: "SottovoceDeviceZombie" in watching.firing(), "the alert")  # nobody has moved a block


@pytest.mark.slow
@needs_prometheus
def test_every_query_of_the_dashboard_gives_something(session: WatchedSession, watching: Prometheus) -> None:
    for word in (1, 3):
        turns = len(session.seen.of(notices.TurnEnded))
        session.ask(word)
        session.seen.wait_for(notices.TurnEnded, turns + 1)
    session.spend()
    session.spend(model="gpt-99")
    session.pipeline.tell(notices.SegmentDropped(1, "the recognisers are too slow"))
    session.seen.wait_for(notices.SegmentDropped)
    queries = expressions(shipped(DASHBOARD))
    assert len(queries) > 50
    for title, query in queries:
        within(lambda query=query: watching.query(query), f"{title}: {query}")
    assert watching.broken_rules() == []


@pytest.mark.slow
@needs_prometheus
def test_page_has_no_fault_that_prometheus_knows(session: WatchedSession) -> None:
    said = subprocess.run(
        ["promtool", "check", "metrics"], input=session.page(), capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.slow
@needs_prometheus
def test_query_of_what_there_is_not_gives_nothing(watching: Prometheus) -> None:
    assert watching.query("sottovoce_no_such_thing_seconds") == []
    with pytest.raises(AssertionError, match="parse error"):
        watching.query("sum(")
