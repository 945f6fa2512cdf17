"""Takes what happens in a session to the loop of the page's server, and publishes what follows from it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from sottovoce.app.monitor.look import Look
from sottovoce.app.web import levels
from sottovoce.app.web.hub import Hub
from sottovoce.app.web.picture import SECTIONS, Picture, at_ms
from sottovoce.assistant.notices import Began, Decided, InputProgress, Notice, Spent
from sottovoce.core.clock import Clock, MonotonicClock

#: Notices that may wait for the loop; some minutes of a lively conversation. One more drops the oldest.
CAPACITY = 4096

#: How often levels, and the engine, are looked at while somebody watches, in seconds.
LEVELS_EVERY_S, ENGINE_EVERY_S = 0.1, 1.0

_NOT_SHOWN = (Began, Decided, InputProgress)


class Board:
    """An observer of a pipeline. Whoever tells it something only appends to a bounded queue and never waits.

    Nothing is made of it while nobody watches.

    Parameters
    ----------
    picture : Picture
        What the session is known to be.
    look : callable, optional
        Looks at the engine; without one, as with a recording, there are no streams to show.
    spent_today : callable, optional
        What was spent on this day, in billionths of a dollar; may take a while.
    """

    def __init__(
        self,
        picture: Picture,
        look: Callable[[], Look] | None = None,
        spent_today: Callable[[], int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.hub = Hub()
        self._picture = picture
        self._look = look or (lambda: Look(0))
        self._spent_today = spent_today
        self._clock: Clock = clock or MonotonicClock()
        self._notices: deque[tuple[int, Notice]] = deque(maxlen=CAPACITY)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = False
        #: Sections that have changed, and when; published once somebody watches.
        self._changed: dict[str, int] = {}
        self._watched: asyncio.Event | None = None
        self._last: dict[str, dict[str, object]] = {}
        #: Set once somebody has watched.
        self.seen = threading.Event()

    def __call__(self, notice: Notice) -> None:
        if not isinstance(notice, _NOT_SHOWN):
            self._notices.append((self._clock.now_ns(), notice))
            self._wake()

    def _wake(self) -> None:
        if self._loop is not None and not self._woken:
            self._woken = True  # before it is looked at again, the queue is emptied: nothing is left behind
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._drain)

    # What follows runs in the loop.

    async def work(self) -> None:
        """Publish until cancelled; the body of a task."""
        self._loop = asyncio.get_running_loop()
        self._watched = asyncio.Event()
        now_ns = self._clock.now_ns()
        self._changed = dict.fromkeys(SECTIONS, now_ns)
        self._drain()
        await self._count_the_day()
        engine_s = 0.0
        while True:
            await self._watched.wait()
            if not self.hub.watched:
                self._watched.clear()
                engine_s = 0.0
                continue
            look, now_ns = self._look(), self._clock.now_ns()
            self._publish_if_new("levels", levels.levels(look, self._picture.speaking), now_ns)
            if now_ns / 1e9 - engine_s >= ENGINE_EVERY_S:
                engine_s = now_ns / 1e9
                self._publish_if_new("engine", levels.engine(look), now_ns)
            await asyncio.sleep(LEVELS_EVERY_S)

    def somebody_watches(self) -> None:
        """Somebody does, from now on: bring everything up to date."""
        self.seen.set()
        self._publish()
        if self._watched is not None:
            self._watched.set()

    def end(self) -> None:
        """The session is over: say so, and nothing more."""
        self._drain()
        self._picture.ended = True
        self._changed["session"] = self._clock.now_ns()
        self._publish()
        self.hub.close()

    def _drain(self) -> None:
        self._woken = False
        spent = False
        while self._notices:
            at_ns, notice = self._notices.popleft()
            spent = spent or isinstance(notice, Spent)
            for section in self._picture.take(notice, at_ns, datetime.now(UTC)):
                self._changed[section] = at_ns
        if spent and self._loop is not None:
            self._loop.create_task(self._count_the_day())
        if self.hub.watched:
            self._publish()

    def _publish(self) -> None:
        changed, self._changed = self._changed, {}
        for section, at_ns in sorted(changed.items(), key=lambda item: item[1]):
            self._send(section, self._picture.section(section), at_ns)

    def _publish_if_new(self, section: str, value: dict[str, object], now_ns: int) -> None:
        if value != self._last.get(section):
            self._last[section] = value
            self._send(section, value, now_ns)

    def _send(self, section: str, value: dict[str, object], at_ns: int) -> None:
        self.hub.publish(section, json.dumps({"at_ms": at_ms(at_ns), **value}, ensure_ascii=False).encode())

    async def _count_the_day(self) -> None:
        if self._spent_today is None or self._loop is None:
            return
        day_nano = await self._loop.run_in_executor(None, self._spent_today)
        if day_nano != self._picture.day_nano:
            self._picture.day_nano = day_nano
            self._changed["cost"] = self._clock.now_ns()
            if self.hub.watched:
                self._publish()
