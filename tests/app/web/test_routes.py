"""What the page asks for, and what it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sottovoce.app.settings import NotesSettings, OpenaiSettings, TtsSettings
from sottovoce.app.web import routes
from sottovoce.app.web.devices import Devices
from sottovoce.assistant.controls import MOST_TYPED
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.core.secrets import HIDDEN
from tests.audio.fakes import FakeHost, make_device, wait_for
from tests.support.web import EventReader, ScriptedPage, config_in, scripted_page


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ScriptedPage]:
    with scripted_page(tmp_path) as page:
        yield page


@pytest.fixture
def client(page: ScriptedPage) -> Iterator[httpx2.Client]:
    with page.client() as client:
        yield client


@pytest.mark.parametrize(
    ("wish", "made"),
    [
        ({"action": "next"}, ("next", None)),
        ({"action": "previous"}, ("previous", None)),
        ({"action": "repeat"}, ("repeat", None)),
        ({"action": "stop"}, ("stop", None)),
        ({"action": "louder"}, ("louder", None)),
        ({"action": "quieter"}, ("quieter", None)),
        ({"action": "pause"}, ("pause", None)),
        ({"action": "pause", "on": True}, ("pause", True)),
        ({"action": "mute", "on": False}, ("mute", False)),
        ({"action": "ask", "text": "Сколько нас?"}, ("ask", "Сколько нас?")),
        ({"action": "ask", "text": "x" * MOST_TYPED}, ("ask", "x" * MOST_TYPED)),
    ],
)
def test_every_action_is_carried_out(
    page: ScriptedPage, client: httpx2.Client, wish: dict[str, Any], made: tuple[str, object]
) -> None:
    answer = client.post("/api/control", json=wish)
    assert (answer.status_code, answer.content) == (204, b"")
    assert page.wishes == [made]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"action": "next"', 400, "not JSON"),
        (b'{"action": "\xff\xfe"}', 400, "not JSON in UTF-8"),
        (b"[" * 8000, 400, "not JSON"),
        (b"[]", 400, "no object"),
        (b'"next"', 400, "no object"),
        (b"{}", 400, "action is None; allowed: next"),
        (b'{"action": "explode"}', 400, "action is 'explode'; allowed: next"),
        (b'{"action": ["next"]}', 400, "action is ['next']"),
        (b'{"action": "next", "on": true}', 400, "on is True"),
        (b'{"action": "pause", "on": 1}', 400, "on is 1"),
        (b'{"action": "pause", "text": "x"}', 400, "'text' is nothing that pause takes"),
        (b'{"action": "ask"}', 400, "text is None"),
        (b'{"action": "ask", "text": ""}', 400, "text is 0 characters"),
        (b'{"action": "ask", "text": " \\n "}', 400, "text is 3 characters"),
        (b'{"action": "ask", "text": 7}', 400, "text is 7"),
        (b'{"action": "ask", "text": "%s"}' % (b"x" * 2001), 400, "2001 characters; allowed: 1 to 2000"),
        (b'{"action": "ask", "text": "%s"}' % (b"x" * 100_000), 413, "too large"),
    ],
)
def test_what_is_wrong_with_a_wish_is_said(
    page: ScriptedPage, client: httpx2.Client, body: bytes, status: int, part: str
) -> None:
    answer = client.post("/api/control", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert part in answer.json()["error"]
    assert page.wishes == []


def test_body_without_its_length_is_refused(page: ScriptedPage, client: httpx2.Client) -> None:
    answer = client.post("/api/control", content=iter([b"{}"]), headers={"Content-Type": "application/json"})
    assert answer.status_code == 411
    assert page.wishes == []


def test_action_that_a_session_does_not_take_is_refused(tmp_path: Path) -> None:
    with scripted_page(tmp_path, actions=("next",)) as page, page.client() as client:
        assert client.post("/api/control", json={"action": "mute"}).status_code == 400
        assert client.post("/api/devices", json={"direction": "input", "id": "x"}).status_code == 409
        assert client.get("/api/devices").json() == {"outputs": [], "inputs": []}


def test_too_much_at_once_is_put_off(
    monkeypatch: pytest.MonkeyPatch, page: ScriptedPage, client: httpx2.Client
) -> None:
    monkeypatch.setattr(routes, "MOST_WAITING", 0)
    answer = client.get("/api/settings")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_unknown_path_and_wrong_method_are_said_as_json(client: httpx2.Client) -> None:
    assert client.get("/api/nothing").status_code == 404
    assert client.post("/api/settings", json={}).status_code == 405
    assert set(client.get("/api/nothing").json()) == {"error", "hint"}


def test_events_begin_with_every_section_and_go_on_with_what_changes(page: ScriptedPage, client: httpx2.Client) -> None:
    reader = EventReader(client)
    for section in ("session", "heard", "turns", "cost", "notices", "engine", "levels"):
        assert reader.wait_for(section)["at_ms"] >= 0
    page.hears("how do you")
    heard = reader.wait_for("heard", lambda value: value["partial"] == "how do you")
    page.asks(1, "How do you make money?")
    page.answers(1, "Subscriptions")
    page.speaks(1, 1)
    turns = reader.wait_for("turns", lambda value: value["turns"] and value["turns"][0]["state"] == "speaking")
    assert turns["at_ms"] >= heard["at_ms"]
    assert reader.wait_for("levels")["input_dbfs"] == -120


def test_section_that_does_not_change_is_sent_once(page: ScriptedPage, client: httpx2.Client) -> None:
    reader = EventReader(client)
    reader.wait_for("levels")
    page.asks(1, "How do you make money?")
    reader.wait_for("turns", lambda value: value["turns"])
    assert [name for name, _ in reader.events].count("cost") == 1


def test_end_of_the_session_is_said_and_ends_the_stream(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with scripted_page(tmp_path) as page:
            reader = EventReader(stack.enter_context(page.client()))
            reader.wait_for("session")
        reader.join()
    assert [value["ended"] for name, value in reader.events if name == "session"][-1] is True


def test_settings_are_explained_and_hold_no_key(tmp_path: Path) -> None:
    key = "sk-" + "a" * 40
    config = config_in(
        tmp_path,
        tts=TtsSettings(speed=1.5, voice=key),
        openai=OpenaiSettings(base_url="http://localhost:11434/v1"),
        notes=NotesSettings(path=tmp_path),
    )
    with scripted_page(tmp_path, config=config) as page, page.client() as client:
        answer = client.get("/api/settings")
    settings = {each["name"]: each for group in answer.json()["groups"] for each in group["settings"]}
    assert settings["tts.speed"] == {
        "name": "tts.speed",
        "value": 1.5,
        "default": 1.35,
        "explanation": "Pace of speech; 1 is the voice's own.",
        "changed": True,
    }
    assert settings["notes.path"]["value"] == str(tmp_path)
    assert settings["llm.max_theses"]["changed"] is False
    assert settings["tts.voice"]["value"] == HIDDEN
    assert key not in answer.text


class TestDevices:
    """On a host of devices that the test decides."""

    @pytest.fixture
    def host(self) -> FakeHost:
        return FakeHost(
            make_device(0, "built in", default=True),
            make_device(1, "usb"),
            make_device(2, "Buds Bluetooth"),
        )

    @pytest.fixture
    def devices(self, host: FakeHost) -> Iterator[Devices]:
        from sottovoce.audio.output import DeviceOutput

        with (
            Player(48000, 2, output=DeviceOutput(host=host)) as player,
            Recorder(16000, 1, host=host) as recorder,
        ):
            self.player, self.recorder = player, recorder
            yield Devices(player, recorder, look=lambda: host.listed)

    def test_devices_are_listed_with_those_in_use(self, tmp_path: Path, devices: Devices) -> None:
        with scripted_page(tmp_path, devices=devices) as page, page.client() as client:
            listing = client.get("/api/devices").json()
        outputs = {each["name"]: each for each in listing["outputs"]}
        assert outputs["built in"]["current"]
        assert outputs["built in"]["default"]
        assert not outputs["usb"]["current"]
        assert "Bluetooth" in outputs["Buds Bluetooth"]["advice"]
        assert outputs["usb"]["advice"] == ""
        assert [each["name"] for each in listing["inputs"]] == ["built in", "usb", "Buds Bluetooth"]

    @pytest.mark.parametrize("direction", ["output", "input"])
    def test_session_moves_to_another_device(self, tmp_path: Path, devices: Devices, direction: str) -> None:
        with scripted_page(tmp_path, devices=devices) as page, page.client() as client:
            chosen = next(each for each in client.get("/api/devices").json()[f"{direction}s"] if each["name"] == "usb")
            assert client.post("/api/devices", json={"direction": direction, "id": chosen["id"]}).status_code == 204

            def used() -> str:
                output = self.player.snapshot_state().stream.device
                return output if direction == "output" else self.recorder.stream_report().device

            wait_for(lambda: used() == "usb")

    @pytest.mark.parametrize(
        "wish",
        [
            {"direction": "output", "id": "nowhere"},
            {"direction": "output", "id": 1},
            {"direction": "output"},
            {"direction": "sideways", "id": "fake: usb"},
            {},
        ],
    )
    def test_device_that_is_not_there_is_said(self, tmp_path: Path, devices: Devices, wish: dict[str, Any]) -> None:
        with scripted_page(tmp_path, devices=devices) as page, page.client() as client:
            assert client.post("/api/devices", json=wish).status_code == 400
