"""Keeps one stream alive: carries events to the state machine of ``lifecycle.py`` and executes its commands.

One lock guards the state machine and the table of streams. No I/O happens while it is held; methods named
``*_locked`` expect it held. What can hang (opening, aborting, looking for devices) runs on threads of its own, so
that the supervisor always goes on, and closing takes a bounded time.
"""

from __future__ import annotations

import atexit
import functools
import logging
import math
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable

from sottovoce.audio.afresh import devices_afresh
from sottovoce.audio.choice import GATHERING, ArrivalWatch, DeviceChoice
from sottovoce.audio.counter_log import CounterLog
from sottovoce.audio.devices import KnownDevice
from sottovoce.audio.host import Device, Host
from sottovoce.audio.lifecycle import (
    CloseAsked,
    Command,
    DeviceSeen,
    DropStream,
    Event,
    Lifecycle,
    Opened,
    OpenFailed,
    OpenStream,
    Proven,
    QueryDevice,
    RecreateAsked,
    Report,
    RestAsked,
    RetuneAsked,
    StartAsked,
    StreamDied,
    StreamState,
    Ticked,
    WakeAsked,
)
from sottovoce.audio.negotiate import StreamConfig
from sottovoce.audio.opener import LiveStream, StreamOpener, close_stream
from sottovoce.audio.priority import CALLBACK_PRIORITY, ThreadPriority
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.rest import Rests
from sottovoce.audio.stream_callback import CallbackFactory, StreamCallback
from sottovoce.audio.tuning import QUIET_PEAK, LatencyControl
from sottovoce.audio.watchdog import STALLED, Health
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.errors import DeviceError, StreamError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.units import FLOOR_DB, gain_to_db

_logger = get_logger("audio")

#: Longest wait for what the device of a healthy stream holds to be heard before it is closed; and what sound servers
#: hold beyond what they report (15 ms measured with PulseAudio).
_PLAYED_OUT_LIMIT_S = 0.3
_UNREPORTED_S = 0.05

#: How long a new stream waits for the old one to be closed before it goes ahead.
_DROP_WAIT_S = _PLAYED_OUT_LIMIT_S + 0.25

#: How often the state machine is told the time while no stream is watched, and how soon when it waits for a moment.
_IDLE_INTERVAL_S, _LEAST_INTERVAL_S = 0.1, 0.01

#: A list of devices so young was renewed by the look that led to a stream being opened.
_JUST_NOW_S = 0.2

_MOVED = "another device was asked for"


class StreamKeeper:
    """Opens a stream, watches it, and opens it again when it dies.

    Parameters
    ----------
    config : StreamConfig
        What is wanted.
    make_callback : callable
        Makes the compiled callback of each stream.
    host : Host
        The audio system.
    clock : Clock, optional
        Where the time comes from.
    rests : Rests, optional
        Says when the stream may rest; never unless given.
    """

    def __init__(
        self,
        config: StreamConfig,
        make_callback: CallbackFactory,
        host: Host,
        clock: Clock | None = None,
        rests: Rests | None = None,
    ) -> None:
        self.config = config
        self._host = host
        self._clock = clock or MonotonicClock()
        self._rests = rests
        #: Name of the device that was used last.
        self._device_name = ""
        self._lock = threading.Lock()
        self._lifecycle = Lifecycle(config.policy, config.samplerate)
        self._streams: dict[int, LiveStream] = {}
        #: Streams that are being closed; what they have counted still counts.
        self._closing: list[LiveStream] = []
        self._retired_counters: Counter[str] = Counter()
        self._threads: list[threading.Thread] = []
        self._droppers: list[threading.Thread] = []
        self._stopping = threading.Event()
        #: Ends a wait of the supervisor.
        self._nudge = threading.Event()
        self._latency = LatencyControl(config)
        self._opener = StreamOpener(config, make_callback, host, self._clock, self._latency, rests)
        self._counter_log = CounterLog()
        self._raised_generation = 0
        self._choice = DeviceChoice(host, config)
        self._arrival = ArrivalWatch()

    def start(self) -> None:
        """Open the stream and start it; nothing is left behind if that fails.

        Raises
        ------
        DeviceNotFoundError
            If there is no such device.
        HostAudioError
            If the host refuses every format.
        """
        if self._stopping.is_set() or self.state is not StreamState.CLOSED:
            raise StreamError(f"the stream is {self.state.value}; a stream is started once")
        with self._lock:
            commands = self._lifecycle.handle(StartAsked(), self._clock.now_ns())
        for command in commands:
            if isinstance(command, OpenStream):
                self._open_at_start(command)
        _close_all_at_exit()
        _keepers.add(self)
        self._launch(self._supervise, "supervisor")

    def close(self, timeout_s: float = 2.0) -> bool:
        """Stop and close the stream.

        Returns
        -------
        bool
            False if the host still hangs after ``timeout_s`` seconds; its thread is then left to itself.
        """
        deadline_s = time.monotonic() + timeout_s
        self._stopping.set()
        self._nudge.set()
        self._dispatch(CloseAsked())
        with self._lock:
            threads = [*self._threads, *self._droppers]
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline_s - time.monotonic()))
        _keepers.discard(self)
        hanging = [thread.name for thread in threads if thread.is_alive()]
        if hanging:
            self._host.abandon()
            log_event(_logger, logging.WARNING, "the sound system hangs: stream left to itself", threads=hanging)
        return not hanging

    def recreate(self, reason: str) -> None:
        """Open the stream anew on the device that is right now; returns at once."""
        self._dispatch(RecreateAsked(reason))

    def move_to(self, device: Device) -> None:
        """Go on on another device from now on; returns at once. What is queued plays on there."""
        if self._choice.ask_for(device):
            self._dispatch(RetuneAsked(_MOVED))
        else:  # it has come since the list was made
            self._gather(_MOVED)

    def wake(self) -> None:
        """Open the stream if it rests; returns at once."""
        if self.resting:
            self._dispatch(WakeAsked())
            self._nudge.set()

    @property
    def resting(self) -> bool:
        """Whether the device was given back for want of sound."""
        # without the lock: one word, looked at for every piece that is written
        return self._lifecycle.state is StreamState.RESTING

    @property
    def rested(self) -> bool:
        """Whether the newest stream takes the place of one that rested."""
        with self._lock:
            return self._lifecycle.rested

    @property
    def state(self) -> StreamState:
        with self._lock:
            return self._lifecycle.state

    @property
    def generation(self) -> int:
        """Generation of the active stream, 0 if there is none."""
        with self._lock:
            return self._lifecycle.current_generation

    @property
    def latency_s(self) -> float:
        """Latency of the active stream in seconds, as the host reports it; 0 if there is none."""
        with self._lock:
            live = self._live_locked()
        return live.stream.latency_s if live else 0.0

    def next_block(self) -> tuple[float, float]:
        """Length of a block in seconds, and how long until the next one is due; (0, 0) while that is not known."""
        with self._lock:
            live = self._live_locked()
        if live is None or not live.callback.last_block_ns:
            return 0.0, 0.0
        period_s = live.blocksize / live.samplerate
        return period_s, period_s - (self._clock.now_ns() - live.callback.last_block_ns) / 1e9

    def newest_block(self) -> tuple[int, int]:
        """Generation of the active stream, and when its newest block began (ns); (0, 0) while there is none."""
        with self._lock:
            live = self._live_locked()
        return (live.generation, live.callback.last_block_ns) if live else (0, 0)

    def report(self) -> StreamReport:
        """A picture of the stream as it is now."""
        with self._lock:
            lifecycle, live = self._lifecycle, self._live_locked()
            counters = self._counters_locked()
            state, generation, recreates = lifecycle.state, lifecycle.current_generation, lifecycle.recreates
            durations_ns, last_good = tuple(lifecycle.recreate_durations_ns), lifecycle.last_good
            reason = lifecycle.reason
            # under the lock: once the stream is being closed, nobody may ask for its thread any more
            priority = live.callback.priority() if live else -1
        return StreamReport(
            state=state,
            generation=generation,
            device=live.device.name if live else self._device_name if state is StreamState.RESTING else "",
            device_id=last_good.id if last_good else None,
            samplerate=live.samplerate if live else 0,
            channels=live.channels if live else 0,
            blocksize=live.blocksize if live else self.config.blocksize,
            latency_s=live.stream.latency_s if live else 0.0,
            latency=self._latency.report(),
            recreating=state is StreamState.RECREATING,
            recreates=recreates,
            recreate_durations_ns=durations_ns,
            recreate_reason=reason,
            counters=dict(counters),
            callback=DurationStats.of(live.callback.durations) if live else DurationStats(),
            interval=DurationStats.of(live.callback.intervals) if live else DurationStats(),
            resampling=DurationStats.of(live.callback.resampling) if live else DurationStats(),
            priority=ThreadPriority.of(priority),
            way=self._host.way,
            peak_dbfs=gain_to_db(live.callback.peak) if live else FLOOR_DB,
            rms_dbfs=gain_to_db(live.callback.rms) if live else FLOOR_DB,
        )

    def _counters_locked(self) -> Counter[str]:
        """What all streams so far have counted."""
        counters = Counter(self._retired_counters)
        for known in (*self._closing, *self._streams.values()):
            counters.update(known.callback.counters())
        return counters

    def _live_locked(self) -> LiveStream | None:
        return self._streams.get(self._lifecycle.current_generation)

    def _dispatch(self, event: Event) -> None:
        with self._lock:
            commands = self._lifecycle.handle(event, self._clock.now_ns())
        self._execute(commands)

    def _execute(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            match command:
                case OpenStream():
                    self._launch(functools.partial(self._reopen, command), f"open-{command.generation}")
                case DropStream():
                    self._drop(command)
                case QueryDevice():
                    if not self._running("query"):
                        self._launch(self._query, "query")
                case Report(level, message, fields):
                    log_event(_logger, level, message, kind=self.config.kind, **fields)

    def _launch(self, target: Callable[[], None], name: str) -> threading.Thread:
        # daemon: a script that forgets to close, or a host that hangs, must not keep the process from ending
        thread = threading.Thread(target=target, name=self._thread_name(name), daemon=True)
        with self._lock:
            self._threads = [known for known in self._threads if known.is_alive()]
            self._threads.append(thread)
            thread.start()
        return thread

    def _running(self, name: str) -> bool:
        with self._lock:
            return any(thread.name == self._thread_name(name) and thread.is_alive() for thread in self._threads)

    def _thread_name(self, name: str) -> str:
        return f"sottovoce-{self.config.kind}-{name}"

    def _supervise(self) -> None:
        interval_s: float | None = _IDLE_INTERVAL_S
        while not self._stopping.is_set():
            self._nudge.wait(interval_s)
            self._nudge.clear()
            with self._lock:
                trial = self._lifecycle.trial_generation
                live = self._streams.get(trial) if trial else self._live_locked()
                self._raise_priority_locked(live)
            if self.resting or self._stopping.is_set():
                interval_s = None
                continue
            interval_s = live.watchdog.interval_s if live else _IDLE_INTERVAL_S
            if live is not None:
                self._look_at(live, on_trial=live.generation == trial)
            self._dispatch(Ticked())
            with self._lock:
                query_s = self._lifecycle.query_in_s(self._clock.now_ns())
            if query_s > 0.0:
                interval_s = max(_LEAST_INTERVAL_S, min(interval_s, query_s))
            self._watch_for_arrival()
            if self._counter_log.due(self._clock.now_ns()):
                with self._lock:
                    counters = self._counters_locked()
                self._execute(self._counter_log.look(counters, self._clock.now_ns()))

    def _raise_priority_locked(self, live: LiveStream | None) -> None:
        """Once for each stream, from its first block on; under the lock, as only a stream that stays has a thread."""
        if live is not None and live.generation != self._raised_generation and live.callback.last_block_ns:
            self._raised_generation = live.generation
            live.callback.raise_priority(CALLBACK_PRIORITY)

    def _look_at(self, live: LiveStream, on_trial: bool) -> None:
        callback = live.callback
        health = Health(live.opened_ns, callback.last_block_ns, callback.finished, on_trial)
        reason = live.watchdog.judge(health, self._clock.now_ns())
        if reason:
            self._dispatch(StreamDied(live.generation, reason, stalled=reason == STALLED))
        elif on_trial and live.watchdog.proves(health):
            self._dispatch(Proven(live.generation))
            callback.release()
        elif not on_trial:
            self._tune(callback)
            if live.rest is not None and live.rest.due(callback.counters(), self._clock.now_ns()):
                self._rest()

    def _rest(self) -> None:
        rests = self._rests
        if rests is None or rests.wanted():  # what is to play may be held up by somebody who speaks
            return
        self._dispatch(RestAsked())
        if rests.wanted():  # whoever wrote just now has found the stream running; from now on, they wake it
            self.wake()

    def _tune(self, callback: StreamCallback) -> None:
        change = self._latency.look(callback, self._clock.now_ns())
        if change is None:
            return
        level = logging.WARNING if change.at_ceiling else logging.INFO
        told = {"old_ms": round(change.old_s * 1000, 1), "new_ms": round(change.new_s * 1000, 1)}
        log_event(_logger, level, "latency changed", kind=self.config.kind, **told, at_ceiling=change.at_ceiling)
        self._dispatch(RetuneAsked(change.reason))

    def _watch_for_arrival(self) -> None:
        """Look now and then for a device that was asked for and is not in use, as this process cannot see it come."""
        with self._lock:
            state, live = self._lifecycle.state, self._live_locked()
        missed = state is StreamState.LOST or (live is not None and self._choice.is_second_best(live.device))
        if self._arrival.due(missed, self._clock.now_ns()) and not self._running("arrival"):
            self._launch(self._look_for_arrival, "arrival")

    def _look_for_arrival(self) -> None:
        others = self._others()
        lost = self.state is StreamState.LOST
        if lost and not others:  # its own queries renew the list
            return
        playing = [keeper for keeper in (self, *others) if not keeper.quiet]
        if playing and not lost:  # there is sound, if only on the second best device; nobody is to be interrupted
            return
        if self._choice.is_among(devices_afresh(given_up=self._stopping)) and not self._stopping.is_set():
            self._gather("a device has come back")

    def _gather(self, reason: str) -> None:
        """Open all streams of this process anew, together, from a new list."""
        GATHERING.begin()
        for keeper in (*self._others(), self):
            keeper._dispatch(RetuneAsked(reason))

    def _others(self) -> list[StreamKeeper]:
        return [keeper for keeper in _keepers if keeper is not self and keeper._host is self._host]

    @property
    def quiet(self) -> bool:
        """Whether nothing sounds at the moment, or nothing that this stream could lose by being opened anew."""
        with self._lock:
            live = self._live_locked()
        return live is None or live.callback.peak < QUIET_PEAK

    def _open_at_start(self, command: OpenStream) -> None:
        try:
            self._open(command, self._choice.to_start_on)
        except DeviceError:
            if self.state is StreamState.CLOSED:
                raise  # otherwise the device is waited for

    def _reopen(self, command: OpenStream) -> None:
        # after a rest, the device is as it was, as a rule
        max_age_s = math.inf if command.rested else _JUST_NOW_S
        try:
            self._open(command, functools.partial(self._choice.to_go_on_with, max_age_s))
        except DeviceError as error:
            # told to the state machine already, which reports it as often as its policy says
            _logger.debug("cannot open generation %d: %s", command.generation, error)

    def _open(self, command: OpenStream, choose: Callable[[], tuple[Device, ...]]) -> None:
        moves = self._choice.moves
        self._wait_for_drops()
        try:
            live = self._opener.open(choose(), command)
        except DeviceError as error:
            self._dispatch(OpenFailed(command.generation, error.message))
            raise
        known = KnownDevice(live.device.id, live.device.default_samplerate)
        opened = Opened(command.generation, known, live.samplerate)
        with self._lock:
            self._device_name = live.device.name
            self._streams[live.generation] = live
            commands = self._lifecycle.handle(opened, self._clock.now_ns())
        self._execute(commands)
        if self._choice.moves != moves:  # asked for while this one was being opened
            self._dispatch(RetuneAsked(_MOVED))

    def _query(self) -> None:
        self._wait_for_drops()
        try:
            device = self._choice.to_go_on_with()[0]
        except DeviceError:
            self._dispatch(DeviceSeen(None))
        else:
            self._dispatch(DeviceSeen(KnownDevice(device.id, device.default_samplerate)))

    def _drop(self, command: DropStream) -> None:
        with self._lock:
            live = self._streams.pop(command.generation, None)
            if live is None:
                return
            self._closing.append(live)
            live.callback.retire()  # silent from here on, whatever the host goes on to do
            close = functools.partial(self._close_live, live, command.gently)
            name = self._thread_name(f"drop-{command.generation}")
            dropper = threading.Thread(target=close, name=name, daemon=True)
            self._droppers = [known for known in self._droppers if known.is_alive()]
            self._droppers.append(dropper)
            dropper.start()

    def _close_live(self, live: LiveStream, gently: bool = False) -> None:
        if gently and live.callback.peak > QUIET_PEAK:  # its last block is on its way, and ends in a fade
            held_s = live.stream.latency_s + live.watchdog.period_s + _UNREPORTED_S
            self._stopping.wait(min(held_s, _PLAYED_OUT_LIMIT_S))
        close_stream(live)
        GATHERING.closed_one()
        with self._lock:
            if live in self._closing:
                self._closing.remove(live)
            self._retired_counters.update(live.callback.counters())

    def _wait_for_drops(self) -> None:
        with self._lock:
            droppers = list(self._droppers)
        deadline_s = time.monotonic() + _DROP_WAIT_S
        for dropper in droppers:
            dropper.join(max(0.0, deadline_s - time.monotonic()))


_keepers: weakref.WeakSet[StreamKeeper] = weakref.WeakSet()


@functools.cache
def _close_all_at_exit() -> None:
    # Registered with the first stream, thus after sounddevice's own exit handler and run before it: that one kills
    # the streams, and their keepers would take that for a loss and open them again.
    atexit.register(lambda: [keeper.close() for keeper in list(_keepers)])
