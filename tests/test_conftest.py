"""The guards that every test relies on do guard."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import platformdirs
import pytest


def test_home_is_not_the_users(own_home: Path) -> None:
    assert Path.home() == own_home
    for folder in (platformdirs.user_config_path("sottovoce"), platformdirs.user_data_path("sottovoce")):
        assert own_home.parent in folder.parents, folder


def test_settings_of_the_user_are_out_of_sight() -> None:
    assert [name for name in os.environ if name.startswith("SOTTOVOCE_") and name != "SOTTOVOCE_SHARED"] == []


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_connection_that_leaves_the_machine_is_refused(method: str, host: str) -> None:
    with socket.socket() as wanted, pytest.raises(AssertionError, match=host):
        getattr(wanted, method)((host, 80))


def test_connection_within_the_machine_is_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
