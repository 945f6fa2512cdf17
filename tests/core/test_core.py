"""What every part leans on: queues, cancellation, threads, units, rate limits."""

from __future__ import annotations

import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.core import errors
from sottovoce.core.cancel import CancelToken
from sottovoce.core.log import RateLimiter, get_logger, log_event
from sottovoce.core.queues import BoundedQueue, WhenFull
from sottovoce.core.threads import ThreadGroup
from sottovoce.core.units import FLOOR_DB, db_to_gain, frames_to_s, gain_to_db, s_to_frames


class StillClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns


def test_full_queue_drops_the_oldest_and_counts_it() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    assert [queue.put(item) for item in (1, 2, 3)] == [None, None, 1]
    assert (queue.get(), queue.get(), queue.dropped) == (2, 3, 1)


def test_full_queue_makes_the_producer_wait() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, WhenFull.BLOCK)
    queue.put(1)
    producer = threading.Thread(target=queue.put, args=(2,))
    producer.start()
    assert queue.get(5.0) == 1
    assert queue.get(5.0) == 2
    producer.join(5.0)
    assert not producer.is_alive()


def test_closed_queue_gives_what_is_inside_and_takes_nothing() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, WhenFull.BLOCK)
    queue.put(1)
    queue.close()
    assert queue.put(2) == 2
    assert not queue.exhausted
    assert queue.get() == 1
    assert queue.get() is None
    assert queue.exhausted


def test_close_wakes_whoever_waits() -> None:
    full: BoundedQueue[int] = BoundedQueue(1, WhenFull.BLOCK)
    full.put(1)
    empty: BoundedQueue[int] = BoundedQueue(1)
    waiting = [threading.Thread(target=full.put, args=(2,)), threading.Thread(target=empty.get)]
    for thread in waiting:
        thread.start()
    full.close()
    empty.close()
    for thread in waiting:
        thread.join(5.0)
        assert not thread.is_alive()


def test_unwanted_items_are_taken_out_of_a_queue() -> None:
    queue: BoundedQueue[int] = BoundedQueue(8)
    for item in range(6):
        queue.put(item)
    assert queue.remove_where(lambda item: item % 2 == 0) == [0, 2, 4]
    assert len(queue) == 3


def test_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        BoundedQueue(0)


def test_cancellation_calls_each_callback_once_and_late_ones_at_once() -> None:
    token, calls = CancelToken(), []
    token.on_cancel(lambda: calls.append("early"))
    take_back = token.on_cancel(lambda: calls.append("taken back"))
    take_back()
    assert not token.wait(0.0)
    token.cancel()
    token.cancel()
    token.on_cancel(lambda: calls.append("late"))
    assert calls == ["early", "late"]
    assert token.cancelled
    assert token.wait(0.0)


def test_crash_of_a_thread_is_its_owners_business(caplog: pytest.LogCaptureFixture) -> None:
    crashes: list[BaseException] = []

    def crash() -> None:
        raise KeyError("secret words")

    group = ThreadGroup(crashes.append)
    with caplog.at_level(logging.ERROR, "sottovoce"):
        group.start("crasher", crash)
        assert group.join(5.0) == ()
    assert [type(error) for error in crashes] == [KeyError]
    assert "secret" not in caplog.text


def test_thread_that_does_not_end_is_named() -> None:
    done = threading.Event()
    group = ThreadGroup(lambda error: None)
    group.start("stubborn", lambda: done.wait() and None)
    assert group.join(0.01) == ("sottovoce-stubborn",)
    done.set()
    assert group.join(5.0) == ()


def test_rate_limiter_lets_one_pass_in_an_interval_and_counts_the_rest() -> None:
    clock = StillClock()
    limiter = RateLimiter(5.0, clock)
    assert [limiter.ready(), limiter.ready()] == [True, False]
    clock.ns = 5_000_000_000
    assert limiter.ready()
    assert limiter.held_back == 1


def test_log_has_a_static_message_and_fields(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sottovoce"):
        log_event(get_logger("test"), logging.INFO, "segment dropped", number=3)
    (record,) = caplog.records
    assert record.getMessage() == "segment dropped number=3"
    assert record.fields == {"number": 3}  # type: ignore[attr-defined]


@given(st.integers(1_000, 768_000), st.integers(0, 10**9))
def test_frames_survive_the_way_through_seconds(samplerate: int, frames: int) -> None:
    assert s_to_frames(frames_to_s(frames, samplerate), samplerate) == frames


def test_half_a_frame_is_rounded_up_and_never_cut() -> None:
    assert s_to_frames(0.25, 22_050) == 5513


def test_decibels_and_gain_are_inverse_above_the_floor() -> None:
    assert db_to_gain(-6.0) == pytest.approx(0.501187, rel=1e-5)
    assert gain_to_db(db_to_gain(-40.0)) == pytest.approx(-40.0)
    assert gain_to_db(0.0) == FLOOR_DB
    assert gain_to_db(1e-30) == FLOOR_DB


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ConfigError("x", key="k"), ValueError),
        (errors.DeviceNotFoundError("x"), LookupError),
        (errors.BackendUnavailableError("x", backend="b", install_hint="pip"), ImportError),
        (errors.BackendTimeoutError("x", backend="b"), TimeoutError),
        (errors.AudioFileError("x", path="p"), ValueError),
    ],
)
def test_errors_are_also_the_builtin_one_expects(error: errors.SottovoceError, builtin: type[Exception]) -> None:
    assert isinstance(error, builtin)
    assert str(error) == "x"
