"""The thread for work that cannot be cut short: whoever waits for it can leave at any time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError
from sottovoce.speech.local.worker import Wanted, Worker

LONG_S = 60.0


@pytest.fixture
def worker() -> Iterator[Worker[int]]:
    made: Worker[int] = Worker("test")
    yield made
    made.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "sottovoce-test"]


class Step:
    """Work of a few items; the second one takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.given: list[int] = []

    def __call__(self, wanted: Wanted) -> Iterator[int]:
        try:
            for number in range(4):
                if number == 1:
                    self.begun.set()
                    self.go.wait(LONG_S)
                self.given.append(number)
                yield number
        finally:
            self.ended.set()


def test_items_come_in_order(worker: Worker[int]) -> None:
    assert list(worker.stream(lambda wanted: iter(range(5)), CancelToken(), LONG_S)) == [0, 1, 2, 3, 4]


def test_cancelled_its_reader_leaves_while_the_step_still_runs(worker: Worker[int]) -> None:
    step, cancel = Step(), CancelToken()
    items = []
    for item in worker.stream(step, cancel, LONG_S):
        items.append(item)
        assert step.begun.wait(LONG_S)
        cancel.cancel()
    assert items == [0]
    assert not step.ended.is_set()
    step.go.set()
    assert step.ended.wait(LONG_S)
    assert step.given == [0, 1]  # it went no further than the step it was in


def test_cancelled_before_it_begins_it_is_not_done(worker: Worker[int]) -> None:
    cancel = CancelToken()
    cancel.cancel()
    assert list(worker.stream(lambda wanted: iter([1]), cancel, LONG_S)) == []


def test_late_item_is_a_timeout(worker: Worker[int]) -> None:
    step = Step()
    with pytest.raises(BackendTimeoutError, match=r"gave nothing for 0\.05 s") as caught:
        list(worker.stream(step, CancelToken(), 0.05))
    assert caught.value.retryable
    assert "test.deadline_s" in caught.value.hint
    step.go.set()


def test_next_piece_of_work_waits_for_the_one_that_was_given_up(worker: Worker[int]) -> None:
    step = Step()
    with pytest.raises(BackendTimeoutError):
        list(worker.stream(step, CancelToken(), 0.05))
    with pytest.raises(BackendTimeoutError):
        list(worker.stream(lambda wanted: iter([7]), CancelToken(), 0.05))
    step.go.set()
    assert list(worker.stream(lambda wanted: iter([8]), CancelToken(), LONG_S)) == [8]


def test_what_the_work_raises_is_raised_to_its_reader(worker: Worker[int]) -> None:
    def broken(wanted: Wanted) -> Iterator[int]:
        yield 1
        raise BackendError("broken", backend="test")

    stream = worker.stream(broken, CancelToken(), LONG_S)
    assert next(stream) == 1
    with pytest.raises(BackendError, match="broken"):
        next(stream)
    assert list(worker.stream(lambda wanted: iter([2]), CancelToken(), LONG_S)) == [2]


def test_closed_while_busy_its_reader_is_told(worker: Worker[int]) -> None:
    step, caught = Step(), []

    def read() -> None:
        try:
            list(worker.stream(step, CancelToken(), LONG_S))
        except BackendError as error:
            caught.append(error.message)

    thread = threading.Thread(target=read)
    thread.start()
    assert step.begun.wait(LONG_S)
    closing = threading.Thread(target=worker.close)
    closing.start()
    thread.join(LONG_S)
    assert caught == ["test has been closed"]
    step.go.set()
    closing.join(LONG_S)
    with pytest.raises(BackendError, match="has been closed"):
        list(worker.stream(step, CancelToken(), LONG_S))
