"""What a session keeps of how the audio engine did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sottovoce.app.context import AppContext
from sottovoce.app.health import EngineHealth, stream_health
from sottovoce.app.purse import Purse
from sottovoce.app.sessions import kept_session
from sottovoce.app.versions import versions_in_use
from sottovoce.assistant import notices
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.priority import ThreadPriority
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.tuning import LatencyReport
from sottovoce.metrics.stages import TurnTimes
from sottovoce.session.records import Durations, EngineMeasured, SessionRecord
from sottovoce.session.store import SessionStore

RUNNING = StreamReport(
    state=StreamState.RUNNING,
    generation=2,
    device="AirPods",
    device_id=3,
    samplerate=48_000,
    channels=2,
    blocksize=256,
    latency_s=0.0125,
    latency=LatencyReport(asked_s=0.01, tuned=True, grown=1),
    recreates=1,
    recreate_durations_ns=(20_000_000, 35_000_000),
    recreate_reason="device is gone",
    counters={"blocks": 1000, "underruns": 2},
    callback=DurationStats(1000, 8_000, 11_000, 14_500, 90_000),
    priority=ThreadPriority("realtime 20"),
    way="library",
)
RESTING = replace(
    RUNNING,
    state=StreamState.RESTING,
    samplerate=0,
    channels=0,
    latency_s=0.0,
    counters={"blocks": 1500, "underruns": 2},
    callback=DurationStats(),
    priority=ThreadPriority("unknown"),
)
ENDED = notices.TurnEnded(1, "spoken", "", TurnTimes(1, {}))


def test_figures_of_a_stream_are_kept_in_the_units_of_a_reader() -> None:
    health = stream_health("output", RUNNING)
    assert (health.direction, health.device, health.bluetooth, health.state) == ("output", "AirPods", True, "running")
    assert (health.latency_ms, health.asked_latency_ms, health.latency_grown) == (12.5, 10.0, 1)
    assert (health.recreates, health.longest_recreate_ms, health.recreate_reason) == (1, 35.0, "device is gone")
    assert health.callback == Durations(1000, 8.0, 11.0, 14.5, 90.0)
    assert (health.priority, health.counters["underruns"]) == ("realtime 20", 2)


def test_stream_that_rests_at_the_end_keeps_the_durations_from_before() -> None:
    pictures = iter([RUNNING, RESTING])
    written: list[EngineMeasured] = []
    engine = EngineHealth({"output": lambda: next(pictures)}, written.append)
    engine(notices.SpeechBegan(0.0))
    assert written == []
    engine(ENDED)
    engine.note()
    (last,) = written[-1].streams
    assert (last.state, last.counters["blocks"]) == ("resting", 1500)
    assert (last.callback.p99_us, last.priority, last.samplerate) == (14.5, "realtime 20", 48_000)


def test_stream_that_never_ran_is_kept_as_it_is() -> None:
    written: list[EngineMeasured] = []
    EngineHealth({"output": lambda: RESTING}, written.append).note()
    assert written[0].streams[0].callback == Durations()


def test_engine_and_versions_come_back_with_the_session(tmp_path: Path) -> None:
    with SessionStore(tmp_path / "sessions.db") as store:
        session_id = store.start_session("live", versions=versions_in_use())
        engine = EngineHealth(
            {"output": lambda: RUNNING, "input": lambda: RESTING}, lambda event: store.append(session_id, event)
        )
        engine(ENDED)
        engine.note()
        assert store.flush()
        record = store.session(session_id)
    assert record.engine == (stream_health("output", RUNNING), stream_health("input", RESTING))
    assert record.events == ()
    assert {"sottovoce", "Python", "system", "SQLite", "numpy"} <= set(record.versions)


@pytest.fixture
def app(home: Path, tmp_path: Path) -> AppContext:
    context = AppContext()
    context.override("session.path", str(tmp_path / "sessions.db"), "--set")
    context.override("tts.speed", 1.5, "--set")
    context.override("notes.path", str(tmp_path), "--notes")
    return context


def kept_of(app: AppContext) -> SessionRecord:
    with SessionStore(app.config.session.path) as store:
        return store.session(store.sessions()[0].id)


def test_session_keeps_its_set_up_and_the_engine_to_its_end(app: AppContext) -> None:
    with kept_session(app, "live", "notes") as kept:
        (observer,) = kept.engine({"output": lambda: RUNNING})
        observer(notices.SpeechBegan(0.0))
    record = kept_of(app)
    assert record.settings["tts.speed"] == 1.5
    assert record.settings["notes.path"] == str(app.config.notes.path)
    assert "llm.max_theses" in record.settings
    assert "vad.pause_ms" not in record.settings, "it is what it always is"
    assert record.versions["sottovoce"]
    assert record.engine == (stream_health("output", RUNNING),)
    assert record.summary.outcome == "ended"


def test_second_ctrl_c_while_a_session_ends_leaves_it_its_end(app: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Purse, "settle", interrupted)
    with pytest.raises(KeyboardInterrupt), kept_session(app, "live", "notes"):
        raise KeyboardInterrupt
    assert kept_of(app).summary.outcome == "interrupted"


def test_nothing_is_kept_of_the_engine_where_no_session_is(app: AppContext) -> None:
    app.override("session.store", "false", "--set")
    with kept_session(app, "live", "notes") as kept:
        assert kept.engine({"output": lambda: RUNNING}) == ()
    assert not app.config.session.path.exists()
