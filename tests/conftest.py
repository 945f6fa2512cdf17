"""What every test gets: no network, folders of its own, seeded randomness, hypothesis that repeats itself in CI."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

# A test machine is shared and slow at times: an example that takes long is no failure. In CI the examples are the same
# every time, so that a red build is red again; at a desk hypothesis goes on looking for new ones.
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

#: What the tests themselves are told by the environment; every other SOTTOVOCE_ variable is a setting of the user.
KEPT_VARIABLES = {"SOTTOVOCE_SHARED"}


def pytest_configure() -> None:
    """Ctrl-C works in every test, also where it is ignored, as a shell does for what it starts in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For workers side by side (`--dist loadgroup`): all that plays is one worker's and comes first, as it lasts the
    longest, and so are the tests of one file, which share what is slow to make."""
    items.sort(key=lambda item: item.get_closest_marker("device") is None)
    for item in items:
        plays = item.get_closest_marker("device") is not None
        item.add_marker(pytest.mark.xdist_group("sound card" if plays else item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder for the session, so that no test reads or writes what belongs to the user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
            patch.setenv(name, str(home))
        for name in [*os.environ]:
            if name.startswith("SOTTOVOCE_") and name not in KEPT_VARIABLES:
                patch.delenv(name)
        yield home


@pytest.fixture(autouse=True)
def own_folders(own_home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders for settings, data and caches that one test does not share with the next."""
    base = tmp_path_factory.mktemp("xdg")
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(base / kind.lower()))
    for kind in ("APPDATA", "LOCAL_APPDATA"):  # what platformdirs looks at first on Windows
        monkeypatch.setenv(f"WIN_PD_OVERRIDE_{kind}", str(base / kind.lower()))


def is_local(address: Any) -> bool:
    """True if a socket address stays on this machine: a path, or an address of the loopback."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every connection that would leave the machine; the offline parts must not want one."""
    connect = socket.socket.connect
    connect_ex = socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        if not is_local(address):
            raise AssertionError(f"a test tried to connect to {address}; tests stay on this machine")
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        if not is_local(address):
            raise AssertionError(f"a test tried to connect to {address}; tests stay on this machine")
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same at every run of a test, and differ between tests."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
