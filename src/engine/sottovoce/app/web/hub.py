"""The newest version of each section, and what each client has not seen of it yet: bounded, whoever reads or does not.

There are no queues: a client only remembers which version of each section it was given last. One that is slow skips
those in between, and one that never reads costs a few numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """A section as it is now; ``number`` grows with every one that is published."""

    section: str
    number: int
    payload: bytes


class Client:
    """One that watches; made by :meth:`Hub.join`. Its methods are for one thread."""

    __slots__ = ("_hub", "_seen", "wake")

    def __init__(self, hub: Hub, wake: Callable[[], None]) -> None:
        self._hub = hub
        self._seen: dict[str, int] = {}
        self.wake = wake

    def take(self) -> list[Version]:
        """The sections that have changed since the last call, each in its newest version, in the order of change."""
        news = [version for version in self._hub.versions() if version.number > self._seen.get(version.section, 0)]
        self._seen.update((version.section, version.number) for version in news)
        return news


class Hub:
    """What is shown, and who watches. :meth:`publish` may be called from any thread, and never waits for a client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, Version] = {}
        self._clients: set[Client] = set()
        self._number = 0
        self._closed = False

    def publish(self, section: str, payload: bytes) -> None:
        """Replace a section, and wake whoever watches."""
        with self._lock:
            if self._closed:
                return
            self._number += 1
            self._versions.pop(section, None)  # so that they lie in the order of change
            self._versions[section] = Version(section, self._number, payload)
            clients = tuple(self._clients)
        for client in clients:
            client.wake()

    def versions(self) -> tuple[Version, ...]:
        """Every section, the one that changed last behind."""
        with self._lock:
            return tuple(self._versions.values())

    def join(self, wake: Callable[[], None], most: int) -> Client | None:
        """Watch from now on; None if ``most`` do so already, or nothing will come any more.

        ``wake`` is called whenever there is something to take, from whatever thread publishes; it must not wait.
        """
        client = Client(self, wake)
        with self._lock:
            if self._closed or len(self._clients) >= most:
                return None
            self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Watch no more; a second call does nothing."""
        with self._lock:
            self._clients.discard(client)

    def close(self) -> None:
        """Nothing more will be published; whoever watches is woken a last time."""
        with self._lock:
            self._closed = True
            clients = tuple(self._clients)
        for client in clients:
            client.wake()

    @property
    def closed(self) -> bool:
        with self._lock:
            return self._closed

    @property
    def watched(self) -> int:
        """How many watch."""
        with self._lock:
            return len(self._clients)
