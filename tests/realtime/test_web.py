"""`sottovoce live --web` as a user runs it: the link opens the page, which shows, controls and moves the session."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.realtime.test_live import END_LIMIT_S, live
from tests.support.soundcard import SoundCard
from tests.support.web import EventReader

pytestmark = [pytest.mark.device, pytest.mark.timeout(120)]


def test_session_is_watched_steered_and_ended(sound_card: SoundCard, tmp_path: Path) -> None:
    database = f"session.path={tmp_path / 'sessions.db'}"
    with live("--web", "--web-port", "0", "--set", database) as session:
        link = session.wait_for("Page: ").partition("Page: ")[2].strip()
        parts = urlsplit(link)
        origin = f"{parts.scheme}://{parts.netloc}"
        with httpx2.Client(base_url=origin, headers={"Origin": origin}, timeout=20.0) as client:
            assert client.get(link).status_code == 303
            reader = EventReader(client)
            shown = reader.wait_for("session")
            assert (shown["listening"], shown["leaves_machine"], shown["id"]) == (True, [], 1)
            streams = reader.wait_for("engine", lambda value: len(value["streams"]) == 2)["streams"]
            assert [stream["direction"] for stream in streams] == ["output", "input"]
            ask = {"action": "ask", "text": "When do we launch?"}
            assert client.post("/api/control", json=ask).status_code == 204
            reader.wait_for("turns", lambda value: value["turns"] and value["turns"][0]["state"] == "speaking")
            outputs = client.get("/api/devices").json()["outputs"]
            chosen = next(each for each in outputs if not each["current"])
            wish = {"direction": "output", "id": chosen["id"]}
            assert client.post("/api/devices", json=wish).status_code == 204

            def moved(value: dict[str, list[dict[str, object]]]) -> bool:
                output = value["streams"][0]
                return output["device"] == chosen["name"] and output["state"] in ("running", "resting")

            reader.wait_for("engine", moved)
            code, took_s, err = session.interrupt()
            reader.join()
        assert (code, took_s < END_LIMIT_S) == (0, True), err
        assert [value["ended"] for name, value in reader.events if name == "session"][-1] is True
