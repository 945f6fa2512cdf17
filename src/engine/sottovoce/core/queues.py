"""Bounded queues between threads, each of which says what it does when full."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class WhenFull(Enum):
    """What a full queue does with one more item."""

    DROP_OLDEST = "drop the oldest"  # live: what is late is worthless
    BLOCK = "block the producer"  # files: nothing is lost, the reader waits


@dataclass(frozen=True, slots=True)
class QueueState:
    """A picture of a queue: how many items it holds, may hold, and has dropped for want of room."""

    length: int
    capacity: int
    dropped: int


class BoundedQueue(Generic[T]):
    """A first-in first-out queue with a limit.

    Parameters
    ----------
    capacity : int
        Most items held, at least 1.
    when_full : WhenFull
        What happens to one more.
    """

    def __init__(self, capacity: int, when_full: WhenFull = WhenFull.DROP_OLDEST) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; at least 1 is needed")
        self.capacity = capacity
        self.when_full = when_full
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._dropped = 0

    def put(self, item: T) -> T | None:
        """Append ``item``; returns what was dropped to make room for it, or ``item`` itself if the queue is closed."""
        with self._condition:
            if self.when_full is WhenFull.BLOCK:
                self._condition.wait_for(lambda: self._closed or len(self._items) < self.capacity)
            if self._closed:
                return item
            dropped: T | None = None
            if len(self._items) >= self.capacity:
                dropped = self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._condition.notify_all()
            return dropped

    def get(self, timeout_s: float | None = None) -> T | None:
        """Take the oldest item; None when the queue is closed and empty, or after ``timeout_s`` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or bool(self._items), timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            self._condition.notify_all()
            return item

    def remove_where(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Take out and return every item that ``unwanted`` is true of."""
        with self._condition:
            removed = [item for item in self._items if unwanted(item)]
            if removed:
                self._items = deque(item for item in self._items if not unwanted(item))
                self._condition.notify_all()
            return removed

    def close(self) -> None:
        """Let nothing more in; what is inside can still be taken, and every waiting thread wakes."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        with self._condition:
            return self._closed

    @property
    def exhausted(self) -> bool:
        """Closed, and nothing left inside."""
        with self._condition:
            return self._closed and not self._items

    @property
    def dropped(self) -> int:
        """Items dropped for want of room since the start."""
        with self._condition:
            return self._dropped

    @property
    def state(self) -> QueueState:
        """A picture of it."""
        with self._condition:
            return QueueState(len(self._items), self.capacity, self._dropped)

    def __len__(self) -> int:
        with self._condition:
            return len(self._items)
