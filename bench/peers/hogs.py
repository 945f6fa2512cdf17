"""What else a Python program does while it plays: threads that want the GIL, and threads that hold it for long."""

from __future__ import annotations

import json
import math
import random
import re
import threading
from collections.abc import Callable
from typing import Self


def _loop() -> None:
    total = 0
    for number in range(50_000):
        total += number * number


def _dump_and_load_json() -> None:
    json.loads(json.dumps({str(number): [number, str(number), None] * 10 for number in range(20_000)}))


_TEXT = "what was said is said again again, and nobody is the wiser for it. " * 20_000


def _search() -> None:
    re.findall(r"\b(\w+)\s+\1\b", _TEXT)


_NUMBERS = random.Random(1).sample(range(500_000), 500_000)


def _sort() -> None:
    sorted(_NUMBERS)


def _long_c_calls() -> None:
    sum(range(20_000_000))  # one call, hundreds of ms, and the GIL is never let go
    math.factorial(20_000)


#: The loads by name, each the tasks of its threads.
LOADS: dict[str, tuple[Callable[[], None], ...]] = {
    "alone": (),
    "loops": (_loop, _loop),
    "hog": (_dump_and_load_json, _search, _sort, _long_c_calls),
}


class Load:
    """Threads that work while entered.

    Parameters
    ----------
    name : str
        One of ``LOADS``.
    """

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=[task], name=f"load-{task.__name__.strip('_')}")
            for task in LOADS[name]
        ]

    def _repeat(self, task: Callable[[], None]) -> None:
        while not self._stop.is_set():
            task()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
