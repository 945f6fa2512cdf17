"""Decides when a stream is opened, dropped and opened again: events in, commands out, time given.

No I/O, no threads, no clock in here, so every race and every loss of a device is a plain unit test. The shell that
carries events in and executes commands is ``stream.py``.

::

    CLOSED ──StartAsked──▶ OPENING ──Opened──▶ RUNNING ──StreamDied, RecreateAsked ...──▶ RECREATING
       ▲                      │                   ▲                                        │      │
       └──────OpenFailed──────┘                   └─────────────────Opened─────────────────┘      │
                                                  ▲                                               ▼
       CloseAsked leads from anywhere to CLOSED   └──Opened (late)── LOST ◀──OpenFailed, hung, too many
                                                                      └──DeviceSeen──▶ RECREATING
       RUNNING ──RestAsked──▶ RESTING ──WakeAsked──▶ RECREATING

A generation belongs to one attempt to open a stream. It becomes current once its stream is active; what comes
from an older one is dropped.

What takes the place of a stream that got no blocks any more is opened on trial: a suspended device takes a few blocks
of every new stream, and then none. Until blocks really flow (Proven) it plays silence, so that nothing is lost in it,
and the state stays RECREATING; a device that wakes meanwhile sounds at once.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from sottovoce.audio.devices import KnownDevice, detect_change
from sottovoce.core.errors import ConfigError

_NS = 1_000_000_000


class StreamState(Enum):
    """Where a stream's owner is."""

    CLOSED = "closed"
    OPENING = "opening"
    RUNNING = "running"
    RECREATING = "recreating"
    LOST = "lost"
    RESTING = "resting"


#: Name, least and most of each policy.
_POLICY_LIMITS = (
    ("device_query_cooldown_s", 0.0, 60.0),
    ("max_recreate_per_minute", 1, 100_000),
    ("slow_recreate_s", 0.001, 60.0),
    ("hung_recreate_s", 0.001, 60.0),
    ("settled_after_s", 0.0, 600.0),
    ("failure_log_interval_s", 0.0, 600.0),
)


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """How eagerly a stream is mended (SPEC A12, A14, A15); every ``_s`` in seconds."""

    device_query_cooldown_s: float = 0.5
    max_recreate_per_minute: int = 30
    slow_recreate_s: float = 1.0
    hung_recreate_s: float = 5.0
    #: A stream that dies sooner after it was opened is not opened again at once: it would use up a minute's worth of
    #: recreates.
    settled_after_s: float = 2.0
    failure_log_interval_s: float = 5.0
    #: Whether a stream that is started without its device waits for it; an error otherwise.
    wait_for_device: bool = False
    #: Whether the default device stands in for one that was asked for by name and is lost; silence otherwise.
    stand_in: bool = True

    def __post_init__(self) -> None:
        for key, least, most in _POLICY_LIMITS:
            value = getattr(self, key)
            if not least <= value <= most:
                raise ConfigError(f"{key} is {value!r}; allowed: {least:g} to {most:g}", key=key)


@dataclass(frozen=True, slots=True)
class StartAsked:
    """The owner wants sound."""


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """The owner wants it no more."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream of a generation is active."""

    generation: int
    device: KnownDevice
    stream_samplerate: int


@dataclass(frozen=True, slots=True)
class OpenFailed:
    """The stream of a generation could not be opened."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Proven:
    """Blocks flow in the stream of a generation that was opened on trial."""

    generation: int


@dataclass(frozen=True, slots=True)
class StreamDied:
    """The stream of a generation has stopped by itself; ``stalled``: it says that it is active, and gets no blocks."""

    generation: int
    reason: str
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class RecreateAsked:
    """Somebody knows that the stream should be opened anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetuneAsked:
    """The stream works, but should be opened anew with another latency; this says nothing against its device."""

    reason: str


@dataclass(frozen=True, slots=True)
class RestAsked:
    """Nothing has sounded for long: the device can be given back until something is to sound."""


@dataclass(frozen=True, slots=True)
class WakeAsked:
    """Something is to sound, or will be soon."""


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """What a query has found: the device to use, or None."""

    device: KnownDevice | None


Event: TypeAlias = (
    StartAsked
    | CloseAsked
    | Ticked
    | Opened
    | OpenFailed
    | Proven
    | StreamDied
    | RecreateAsked
    | RetuneAsked
    | RestAsked
    | WakeAsked
    | DeviceSeen
)


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Open and start a stream of this generation; answer with Opened or OpenFailed.

    ``on_trial``: let it play silence until blocks flow, then answer with Proven. ``rested``: it takes the place of one
    that was closed for want of sound alone.
    """

    generation: int
    reason: str
    on_trial: bool = False
    rested: bool = False


@dataclass(frozen=True, slots=True)
class DropStream:
    """Silence, stop and close the stream of this generation; it may hang.

    ``gently``: it is healthy, and what its device holds already is to be heard first.
    """

    generation: int
    gently: bool = False


@dataclass(frozen=True, slots=True)
class QueryDevice:
    """Look for the device to use; answer with DeviceSeen."""


@dataclass(frozen=True, slots=True)
class Report:
    """Log this."""

    level: int
    message: str
    fields: dict[str, object] = field(default_factory=dict)


Command: TypeAlias = OpenStream | DropStream | QueryDevice | Report


class Lifecycle:
    """The state machine of one stream's owner. Not thread-safe: its shell holds a lock around :meth:`handle`.

    Parameters
    ----------
    policy : LifecyclePolicy
        Limits and intervals.
    content_samplerate : int
        Rate of the content in Hz; only reported.
    """

    def __init__(self, policy: LifecyclePolicy, content_samplerate: int) -> None:
        self.policy = policy
        self.state = StreamState.CLOSED
        self.generation = 0
        #: Generation whose stream is active; 0 if none is.
        self.current_generation = 0
        self.last_good: KnownDevice | None = None
        self.stream_samplerate = 0
        self.recreates = 0
        #: Durations in ns of the last successful recreates.
        self.recreate_durations_ns: deque[int] = deque(maxlen=64)
        self._content_samplerate = content_samplerate
        self._attempts_ns: deque[int] = deque()
        self._attempt_ns = 0
        self._opened_ns = 0
        #: What was opened on trial and is not proven yet.
        self._trial: Opened | None = None
        self._stalled = False
        self._lost_ns = 0
        self._reason = ""
        #: Whether the newest stream takes the place of one with which nothing was wrong, and whether after a rest.
        self._on_purpose = self.rested = False
        self._query_not_before_ns = 0
        self._failures = 0
        self._failure_reported_ns: int | None = None
        self._limit_reported = False

    @property
    def reason(self) -> str:
        """Why the last stream was given up; empty before the first loss."""
        return self._reason

    @property
    def trial_generation(self) -> int:
        """Generation of the stream that is on trial; 0 if none is."""
        return self._trial.generation if self._trial else 0

    def query_in_s(self, now_ns: int) -> float:
        """How long until it looks for a device, in seconds; 0 if it waits for nothing, or looks now."""
        waits = self.state is StreamState.LOST
        return max(0.0, (self._query_not_before_ns - now_ns) / _NS) if waits else 0.0

    @property
    def recreating(self) -> bool:
        return self.state is StreamState.RECREATING

    def handle(self, event: Event, now_ns: int) -> tuple[Command, ...]:
        """Take an event at a time of a monotonic clock; returns what is to be done, in that order."""
        match event:
            case StartAsked():
                return self._start(now_ns)
            case CloseAsked():
                return self._close()
            case Opened():
                return self._opened(event, now_ns)
            case OpenFailed():
                return self._open_failed(event, now_ns)
            case Proven(generation):
                if self._trial is not None and self._trial.generation == generation:
                    return self._run(self._trial, now_ns)
                return ()
            case StreamDied():
                return self._died(event, now_ns)
            case RecreateAsked(reason):
                return self._recreate(reason, now_ns, gently=True) if self.state is StreamState.RUNNING else ()
            case RetuneAsked(reason):
                return self._retune(reason, now_ns)
            case RestAsked():
                return self._rest()
            case WakeAsked():
                return self._wake(now_ns)
            case DeviceSeen(device):
                return self._device_seen(device, now_ns)
            case Ticked():
                return self._ticked(now_ns)

    def _start(self, now_ns: int) -> tuple[Command, ...]:
        if self.state is not StreamState.CLOSED:
            return ()
        self.state = StreamState.OPENING
        self.generation += 1
        self._attempt_ns = now_ns
        return (OpenStream(self.generation, "start"),)

    def _close(self) -> tuple[Command, ...]:
        self.state = StreamState.CLOSED
        return self._detach()

    def _detach(self, gently: bool = False) -> tuple[Command, ...]:
        current, self.current_generation = self.current_generation, 0
        trial, self._trial = self._trial, None
        attached = (current, trial.generation if trial else 0)
        return tuple(DropStream(generation, gently) for generation in attached if generation)

    def _opened(self, event: Opened, now_ns: int) -> tuple[Command, ...]:
        awaited = self.state in (StreamState.OPENING, StreamState.RECREATING, StreamState.LOST)
        if event.generation != self.generation or not awaited:
            return (DropStream(event.generation),)
        if self._stalled:
            self.state = StreamState.RECREATING
            self._trial = event
            return ()
        return self._run(event, now_ns)

    def _run(self, event: Opened, now_ns: int) -> tuple[Command, ...]:
        first, late = self.state is StreamState.OPENING, self.last_good is None
        self.state = StreamState.RUNNING
        self._trial = None
        self._stalled = False
        self.current_generation = event.generation
        self.last_good = event.device
        self.stream_samplerate = event.stream_samplerate
        self._opened_ns = now_ns
        self._limit_reported = False
        if first:
            return ()
        if late:
            waited_s = round((now_ns - self._lost_ns) / _NS, 1)
            return (Report(logging.INFO, "the device is there", {"waited_s": waited_s}),)
        took_ms = (now_ns - self._attempt_ns) // 1_000_000
        if self.rested:
            return (Report(logging.DEBUG, "stream opened after a rest", {"elapsed_ms": took_ms}),)
        if self._on_purpose:
            return (Report(logging.INFO, "stream opened anew", {"reason": self._reason, "elapsed_ms": took_ms}),)
        self.recreates += 1
        self.recreate_durations_ns.append(now_ns - self._attempt_ns)
        slow = now_ns - self._attempt_ns > self.policy.slow_recreate_s * _NS
        fields: dict[str, object] = {
            "reason": self._reason,
            "device_id": event.device.id,
            "stream_samplerate": event.stream_samplerate,
            "content_samplerate": self._content_samplerate,
            "elapsed_ms": (now_ns - self._lost_ns) // 1_000_000,
            "generation": event.generation,
        }
        if slow:
            return (Report(logging.WARNING, "stream opened again, slowly", fields),)
        return (Report(logging.INFO, "stream opened again", fields),)

    def _open_failed(self, event: OpenFailed, now_ns: int) -> tuple[Command, ...]:
        if event.generation != self.generation:
            return ()
        if self.state is StreamState.OPENING:
            if self.policy.wait_for_device:
                self._lost_ns = now_ns
                self._reason = "the device was not there"
                return self._lose(event.reason, now_ns)
            self.state = StreamState.CLOSED
        elif self.state is StreamState.RECREATING:
            if self.rested:
                self._reason = "it could not be opened after a rest"
            return self._lose(event.reason, now_ns)
        return ()

    def _died(self, event: StreamDied, now_ns: int) -> tuple[Command, ...]:
        reason = event.reason
        if self._trial is not None and self._trial.generation == event.generation:
            return (*self._detach(), *self._lose(reason, now_ns))
        if self.state is not StreamState.RUNNING or event.generation != self.current_generation:
            return ()
        self._stalled = event.stalled
        if now_ns - self._opened_ns >= self.policy.settled_after_s * _NS:
            self._failures = 0
        if not self._failures:
            self._failures = 1
            return self._recreate(reason, now_ns)
        self._lost_ns = now_ns
        self._reason = reason
        # half the wait: with what opening takes, sound is back within a second
        return (*self._detach(), *self._lose(reason, now_ns, soon_again=True))

    def _lose(self, reason: str, now_ns: int, *, soon_again: bool = False) -> tuple[Command, ...]:
        self.state = StreamState.LOST
        # 0.5, 1, 2, 3, 3 ... s: a sound server that is away for long uses up no minute's worth of recreates; a trial
        # takes seconds by itself
        patience = 1.0 if self._stalled else min(2.0 ** max(0, self._failures - 1), 6.0)
        if soon_again and self._failures == 1:
            patience = 0.5
        cooldown_s = self.policy.device_query_cooldown_s * patience
        self._failures += 1
        self._query_not_before_ns = now_ns + int(cooldown_s * _NS)
        return self._failure(reason, now_ns)

    def _failure(self, reason: str, now_ns: int) -> tuple[Command, ...]:
        last_ns = self._failure_reported_ns
        if last_ns is not None and now_ns - last_ns < self.policy.failure_log_interval_s * _NS:
            return ()
        self._failure_reported_ns = now_ns
        lost_s = round((now_ns - self._lost_ns) / _NS, 1)
        if self.last_good is None:
            return (Report(logging.WARNING, "waiting for a device", {"reason": reason, "waited_s": lost_s}),)
        return (Report(logging.WARNING, "no sound: the device is lost", {"reason": reason, "lost_s": lost_s}),)

    def _recreate(self, reason: str, now_ns: int, gently: bool = False) -> tuple[Command, ...]:
        while self._attempts_ns and now_ns - self._attempts_ns[0] >= 60 * _NS:
            self._attempts_ns.popleft()
        if len(self._attempts_ns) >= self.policy.max_recreate_per_minute:
            self._note_loss(reason, now_ns)
            return (*self._detach(), *self._hold_off())
        self._attempts_ns.append(now_ns)
        return self._reopen(reason, now_ns, gently)

    def _note_loss(self, reason: str, now_ns: int) -> None:
        if self.state is StreamState.RUNNING:
            self._lost_ns = now_ns
            self._reason = reason

    def _retune(self, reason: str, now_ns: int) -> tuple[Command, ...]:
        if self.state is not StreamState.RUNNING:
            return ()
        commands = self._reopen(reason, now_ns, gently=True)
        self._on_purpose = True
        return commands

    def _reopen(self, reason: str, now_ns: int, gently: bool) -> tuple[Command, ...]:
        self._note_loss(reason, now_ns)
        dropped = self._detach(gently)
        self._on_purpose = self.rested = False
        self._attempt_ns = now_ns
        self.state = StreamState.RECREATING
        self.generation += 1
        return (*dropped, OpenStream(self.generation, self._reason, on_trial=self._stalled))

    def _rest(self) -> tuple[Command, ...]:
        if self.state is not StreamState.RUNNING:
            return ()
        self.state = StreamState.RESTING
        self._failures = 0  # it has run for as long as it was silent
        return self._detach(gently=True)

    def _wake(self, now_ns: int) -> tuple[Command, ...]:
        if self.state is not StreamState.RESTING:
            return ()
        self._on_purpose = self.rested = True
        self._attempt_ns = self._lost_ns = now_ns
        self.state = StreamState.RECREATING
        self.generation += 1
        return (OpenStream(self.generation, "wanted again", rested=True),)

    def _hold_off(self) -> tuple[Command, ...]:
        self.state = StreamState.LOST
        self._query_not_before_ns = self._attempts_ns[0] + 60 * _NS
        if self._limit_reported:
            return ()
        self._limit_reported = True
        fields: dict[str, object] = {"max_recreate_per_minute": self.policy.max_recreate_per_minute}
        return (Report(logging.WARNING, "stream opened again too often: waiting", fields),)

    def _device_seen(self, seen: KnownDevice | None, now_ns: int) -> tuple[Command, ...]:
        change = detect_change(self.last_good, seen)
        if self.state is StreamState.RUNNING:
            return self._recreate("another device", now_ns, gently=True) if change.changed else ()
        if self.state is not StreamState.LOST:
            return ()
        if seen is None:
            self._query_not_before_ns = now_ns + int(self.policy.device_query_cooldown_s * _NS)
            return self._failure("there is no device", now_ns)
        if change.changed or now_ns >= self._query_not_before_ns:
            return self._recreate(self._reason, now_ns)
        return ()

    def _ticked(self, now_ns: int) -> tuple[Command, ...]:
        hung_ns = int(self.policy.hung_recreate_s * _NS)
        opening = self.state is StreamState.RECREATING and self._trial is None
        if opening and now_ns - self._attempt_ns > hung_ns:
            return self._lose(f"opening hangs for over {self.policy.hung_recreate_s:g} s", now_ns)
        if self.state is StreamState.LOST and now_ns >= self._query_not_before_ns:
            return (QueryDevice(),)
        return ()
