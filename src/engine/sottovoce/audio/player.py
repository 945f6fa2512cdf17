"""Streaming playback that neither the GIL nor a lost device interrupts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, get_args

import numpy.typing as npt

from sottovoce.audio.devices import check_direction
from sottovoce.audio.host import Device
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.negotiate import Latency, StreamRate, check_choice
from sottovoce.audio.output import DeviceOutput, Output, SleepPolicy
from sottovoce.audio.placement import RESAMPLE_BUDGET, ResampleBudget, ResampleMode
from sottovoce.audio.reflex import Listener, Reflex
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.resampler import Quality, Resampler
from sottovoce.audio.source import PlayerSource, SourceSnapshot
from sottovoce.audio.tap import PlaybackTap
from sottovoce.core.errors import ConfigError, StreamClosedError, StreamError
from sottovoce.core.formats import check_channels, check_samplerate
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.units import db_to_gain, s_to_frames
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring

_logger = get_logger("audio")

#: How much longer than what is queued lasts the exit of a with statement waits for it to be heard.
_EXIT_LIMIT_S = 5.0

#: Most that is held of what was played.
_MOST_TAP_S = 60.0

#: How long closing waits for the fade to silence.
_FADE_LIMIT_S = 0.1


@dataclass(frozen=True, slots=True)
class PlayerSnapshot:
    """A picture of a Player, taken without a lock on the audio path."""

    samplerate: int
    channels: int
    rendered_s: float
    counters: Mapping[str, int]
    #: From a flush being asked for to the mixer being silent.
    flush: DurationStats
    stream: StreamReport
    sources: tuple[SourceSnapshot, ...]
    #: Sources that were resampled in the callback and are no more, as it took too long.
    moved_sources: int = 0


class Player:
    """Plays audio as it comes, on a device or into a file.

    The device's callback is compiled and never needs the GIL; a device that is lost is replaced, and what was
    queued plays on. Use it as a context manager: leaving it normally plays what :meth:`write` has queued to its end.

    Parameters
    ----------
    samplerate : int
        Rate of what is written, in Hz.
    channels : int
        Channels that are played; mono is duplicated to two.
    device : int, str or None
        Id, name or part of a name of the output; None for the default one.
    blocksize : int
        Frames of a block.
    latency : float or {"auto", "low", "high"}
        Wanted output latency in seconds, the system's suggestion, or "auto": starts low and grows while the device
        starves.
    buffer_s : float
        Seconds of audio that each source holds: what your code may be late without being heard.
    resample_mode : {"callback", "producer", "off"}
        Where audio of another rate than the stream's is resampled: in the callback, until that takes it too long and
        the sources move to whoever writes, without a click; always by whoever writes; or not at all (an error instead).
    resample_quality : {"linear", "fast", "standard", "hq", "best", "soxr"}
        As of :class:`Resampler`; ``"soxr"`` is always by whoever writes.
    resample_budget : float
        Of a block's period, what resampling may take of the callback's time at p95; above 0.
    prefer_stream_rate : {"content", "device"}
        Whether the stream opens at ``samplerate`` or at the device's own rate, if the device takes both.
    policy : LifecyclePolicy, optional
        How eagerly a lost stream is opened again, and whether a device that is not there yet is waited for.
    sleep : SleepPolicy, optional
        What is done about a device that sleeps while nothing sounds, as Bluetooth devices do.
    tap_s : float
        Seconds of what is played that are held for :meth:`open_tap`; 0 for none.
    output : Output, optional
        Takes the place of the device, with ``blocksize``, ``latency`` and ``prefer_stream_rate`` of its own.

    Raises
    ------
    ConfigError
        (a ValueError) if an argument is not allowed.

    Examples
    --------
    >>> with Player(24000, 1) as player:                        # doctest: +SKIP
    ...     for chunk in speech():
    ...         player.write(chunk)
    """

    def __init__(
        self,
        samplerate: int = 48000,
        channels: int = 2,
        *,
        device: int | str | None = None,
        blocksize: int = 256,
        latency: Latency = "low",
        buffer_s: float = 2.0,
        resample_mode: ResampleMode = "callback",
        resample_quality: Quality = "standard",
        resample_budget: float = RESAMPLE_BUDGET,
        prefer_stream_rate: StreamRate = "content",
        policy: LifecyclePolicy | None = None,
        sleep: SleepPolicy | None = None,
        tap_s: float = 0.0,
        output: Output | None = None,
    ) -> None:
        self.samplerate = check_samplerate(samplerate)
        self.channels = check_channels(channels)
        check_choice("resample_mode", resample_mode, get_args(ResampleMode))
        check_choice("resample_quality", resample_quality, get_args(Quality))
        _check_positive("buffer_s", buffer_s)
        _check_positive("resample_budget", resample_budget)
        if not 0.0 <= tap_s <= _MOST_TAP_S:
            raise ConfigError(f"tap_s is {tap_s}; allowed: 0 to {_MOST_TAP_S:g} seconds", key="tap_s")
        self.buffer_s = buffer_s
        self._tap_s = tap_s
        self._tap_ring: Ring | None = None
        self.resample_mode = resample_mode
        self.resample_quality: Quality = resample_quality
        self.changed = threading.Condition()
        self.output: Output = output or DeviceOutput(
            device,
            blocksize=blocksize,
            latency=latency,
            prefer_stream_rate=prefer_stream_rate,
            policy=policy,
            sleep=sleep,
        )
        self._mixer: Mixer | None = None
        self._sources: tuple[PlayerSource, ...] = ()
        self._default: PlayerSource | None = None
        self._budget = ResampleBudget(resample_budget)
        self._budget_lock = threading.Lock()
        self._moved_sources = 0
        self._yielding = False
        self._closed = False

    def start(self) -> None:
        """Open the output and begin to play.

        Raises
        ------
        DeviceError
            If there is no device, PortAudio is missing, or the system refuses; its ``hint`` says what to do.
        StreamError
            If the player was started before.
        """
        if self._mixer is not None or self._closed:
            raise StreamError("the player was started before", hint="make a new one")
        samplerate, channels = self.output.negotiate(self.samplerate, self.channels)
        if samplerate != self.samplerate and self.resample_mode == "off":
            raise StreamError(
                f"the device takes {samplerate} Hz, the content has {self.samplerate}, and resample_mode is 'off'",
                hint=f"play {samplerate} Hz, or set resample_mode to 'producer'",
            )
        if self._tap_s:
            self._tap_ring = Ring(s_to_frames(self._tap_s, samplerate), channels)
        self._mixer = Mixer(samplerate, channels, tap=self._tap_ring)
        try:
            self.output.start(self)
        except Exception:
            self._mixer = None
            raise

    def close(self) -> None:
        """Fade out and give the device back; what is queued is dropped, unless it goes to a file that is not paced.

        Takes at most about two seconds, whatever the sound system does. A second call does nothing.
        """
        with self.changed:
            if self._closed:
                return
            self._closed = True
            self.changed.notify_all()
        if self._mixer is None:
            return
        if self._yielding:
            with suppress(RuntimeError):  # a full queue of commands: then the recorder goes on listening, for nobody
                self._mixer.yield_to(None)
        if self.output.live:
            self._fade_out()
        else:
            for source in self._sources:
                source.finish()
        self.output.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self._closed and self._default is not None:
                # bounded: a device that is lost for good must not keep anybody here
                self.drain(self._default.queued_s + _EXIT_LIMIT_S)
        finally:
            self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def mixer(self) -> Mixer:
        """The compiled mixer; exists from :meth:`start` on."""
        if self._mixer is None:
            raise StreamError("the player was not started", hint="use it in a with statement, or call start()")
        return self._mixer

    def open_tap(self, samplerate: int = 16_000) -> PlaybackTap:
        """What is played, to be read by whoever has to know it again, at ``samplerate`` (Hz); one for each player.

        Raises
        ------
        StreamError
            If the player was not started, or made without ``tap_s``.
        """
        mixer = self.mixer
        if self._tap_ring is None:
            raise StreamError("the player holds nothing of what it plays", hint="make it with tap_s=2.0")
        return PlaybackTap(mixer, self._tap_ring, self.output, check_samplerate(samplerate))

    def write(self, x: npt.NDArray[Any], timeout_s: float | None = None) -> int:
        """Queue audio at :attr:`samplerate`, waiting for room; see :meth:`PlayerSource.write`.

        Returns
        -------
        int
            Frames taken: all, or fewer after ``timeout_s`` seconds.
        """
        return self._own_source().write(x, timeout_s=timeout_s)

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was written is heard; False after ``timeout_s`` seconds."""
        source = self._own_source()
        source.end()
        return source.drain(timeout_s)

    def flush(self) -> None:
        """Silence what was written, with a short fade."""
        self._own_source().flush()

    def set_gain(self, gain: float, ramp_s: float = 0.02) -> None:
        """Change the linear gain of what is written, in a ramp of ``ramp_s`` seconds."""
        self._own_source().set_gain(gain, ramp_s)

    def pause(self) -> None:
        """Stop playing what is written, with a fade; what is queued stays."""
        self._own_source().pause()

    def resume(self) -> None:
        """Go on where :meth:`pause` has stopped."""
        self._own_source().resume()

    def wake(self) -> None:
        """Let an output that rests be opened, as there will soon be something to play; returns at once.

        Whatever is written wakes it, too: this is for whoever knows before, and saves the time that opening takes.
        """
        self.output.wake(soon=True)

    def move_to(self, device: Device) -> None:
        """Play on another device from now on; what is queued plays on there. Returns at once.

        Parameters
        ----------
        device : Device
            As :func:`sottovoce.audio.devices.list_devices` or :func:`sottovoce.audio.afresh.devices_afresh` gives it.

        Raises
        ------
        DeviceNotFoundError
            If it cannot play.
        StreamError
            If the player was not started, or does not play on a device.
        """
        if not isinstance(self.output, DeviceOutput):
            raise StreamError("this player does not play on a device", hint="make one without an output of its own")
        check_direction(device, "output")
        self.output.move_to(device)

    def open_source(
        self,
        samplerate: int | None = None,
        channels: int = 1,
        *,
        buffer_s: float | None = None,
        prebuffer_s: float = 0.0,
        yields: bool = True,
    ) -> PlayerSource:
        """Another stream of audio that plays beside what is written.

        Parameters
        ----------
        samplerate : int, optional
            Its rate in Hz; that of the player unless given.
        channels : int
            Its channels.
        buffer_s : float, optional
            Seconds that it holds; as the player's unless given.
        prebuffer_s : float
            Seconds that have to be queued before it starts, and after it has run dry.
        yields : bool
            Whether it yields to somebody who speaks, once :meth:`yield_to` was called.

        Raises
        ------
        ConfigError
            (a ValueError) if an argument is not allowed.
        StreamError
            If the player is not running, or the rate needs resampling and ``resample_mode`` is ``"off"``.
        """
        if self._closed:
            raise StreamClosedError("the player is closed", hint="make a new one")
        mixer = self.mixer
        rate = check_samplerate(self.samplerate if samplerate is None else samplerate)
        check_channels(channels)
        held_s = self.buffer_s if buffer_s is None else buffer_s
        _check_positive("buffer_s", held_s)
        if not 0.0 <= prebuffer_s <= held_s:
            raise ConfigError(f"prebuffer_s is {prebuffer_s}; allowed: 0 to buffer_s, {held_s}", key="prebuffer_s")
        if rate != mixer.samplerate and self.resample_mode == "off":
            raise StreamError(
                f"the source has {rate} Hz, the mixer {mixer.samplerate}, and resample_mode is 'off'",
                hint=f"write {mixer.samplerate} Hz, or set resample_mode to 'producer'",
            )
        converts = rate != mixer.samplerate
        by_producer = converts and (self.resample_quality == "soxr" or self.resamples_by_producer)
        ring_rate = mixer.samplerate if by_producer else rate
        # Room for what a resampler holds back, so that a piece that was taken can always be queued whole; and for
        # frames of the mixer's rate, should resampling leave the callback.
        resampler = Resampler(rate, mixer.samplerate, channels, self.resample_quality)
        reserve = 2 * round(resampler.latency_frames) + 64 if converts else 0
        capacity = s_to_frames(held_s, max(ring_rate, mixer.samplerate)) + reserve
        prebuffer = s_to_frames(prebuffer_s, ring_rate)
        quality = "standard" if self.resample_quality == "soxr" else self.resample_quality
        try:
            native = mixer.add_source(ring_rate, channels, capacity, prebuffer, quality, yields=yields)
        except RuntimeError as error:  # as many as the mixer can play are open
            raise StreamError(str(error), hint="close a source before another is opened") from error
        source = PlayerSource(
            self, native, rate, prebuffer_s=prebuffer_s, reserve_frames=reserve, quality=self.resample_quality
        )
        with self.changed:
            self._sources = (*self._sources, source)
        return source

    def yield_to(self, listener: Listener | None, reflex: Reflex | None = None) -> None:
        """Duck or pause the sources within two blocks of somebody speaking, whatever Python does meanwhile.

        The capture callback of the recorder tells the callback of the player through a word of memory that both keep:
        either may be closed, or lose its device, first. A player yields to one recorder; the last call counts.

        Parameters
        ----------
        listener : Recorder or None
            Who hears somebody speak; None to yield to nobody.
        reflex : Reflex, optional
            How; ``Reflex()`` unless given. What counts as speech is set for all players that yield to this recorder.

        Raises
        ------
        StreamError
            If the player was not started.
        """
        how = reflex or Reflex()
        with self.changed:
            if listener is None or how.mode == "off":
                self.mixer.yield_to(None)
                self._yielding = False
                return
            listener.activity.configure(how.threshold_dbfs, how.margin_db, how.hold_s)
            self.mixer.yield_to(listener.activity, db_to_gain(how.duck_gain_db) if how.mode == "duck" else None)
            self._yielding = True

    @property
    def resamples_by_producer(self) -> bool:
        """Whether audio of another rate is resampled by whoever writes: by choice, or as the callback took too long."""
        if self.resample_mode == "producer":
            return True
        with self._budget_lock:
            now_s = time.monotonic()
            over = self._budget.note(self.output.report(), now_s) if self._budget.is_due(now_s) else None
        if over:
            log_event(
                _logger, logging.WARNING, "resampling leaves the callback",
                p95_us=over.p95_ns // 1000, budget_us=over.budget_ns // 1000,
            )  # fmt: skip
        return self._budget.exceeded is not None

    def note_moved(self) -> None:
        """A source has left the callback's resampling for its own; called by it."""
        with self.changed:
            self._moved_sources += 1

    def remove(self, source: PlayerSource) -> None:
        """Forget a source that closes; called by it."""
        with self.changed:
            self._sources = tuple(known for known in self._sources if known is not source)
        self.mixer.remove_source(source.native)

    def snapshot_state(self) -> PlayerSnapshot:
        """A picture of the player as it is now."""
        mixer = self.mixer
        return PlayerSnapshot(
            samplerate=mixer.samplerate,
            channels=mixer.channels,
            rendered_s=mixer.rendered_frames / mixer.samplerate,
            counters=mixer.counters(),
            flush=DurationStats.of(mixer.flush_latencies),
            stream=self.output.report(),
            sources=tuple(source.snapshot() for source in self._sources),
            moved_sources=self._moved_sources,
        )

    def has_audio(self) -> bool:
        """Whether the next block holds sound; asked by an output that is not paced."""
        block_s = self.output.blocksize / self.mixer.samplerate
        return any(source.has_audio(block_s) for source in self._sources)

    def progressed(self) -> None:
        """A block was played; said by an output that is not paced."""
        with self.changed:
            self.changed.notify_all()

    def _own_source(self) -> PlayerSource:
        with self.changed:
            if self._default is None:
                self._default = self.open_source(self.samplerate, self.channels)
            return self._default

    def _fade_out(self) -> None:
        sounding = [source for source in self._sources if source.queued_s > 0.0]
        for source in sounding:
            source.flush()
        if not sounding:
            return
        limit_s = time.monotonic() + _FADE_LIMIT_S
        with self.changed:
            while not all(source.silent for source in sounding) and time.monotonic() < limit_s:
                self.changed.wait(0.005)
            # the fade has left the mixer and is on its way through the device
            self.changed.wait(min(self.output.latency_s, _FADE_LIMIT_S))


def _check_positive(key: str, value: float) -> None:
    if not value > 0.0:
        raise ConfigError(f"{key} is {value}; it must be above 0", key=key)
