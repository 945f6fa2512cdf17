"""Opens a stream: the first device that can be opened, in the first format that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sottovoce.audio.host import Device, Host, HostStream, Kind, StreamRequest
from sottovoce.audio.lifecycle import OpenStream
from sottovoce.audio.negotiate import StreamConfig, formats_to_try, tell_fallback
from sottovoce.audio.rest import Rests, RestWatch
from sottovoce.audio.stream_callback import CallbackFactory, StreamCallback
from sottovoce.audio.tuning import LatencyControl
from sottovoce.audio.watchdog import Watchdog
from sottovoce.core.clock import Clock
from sottovoce.core.errors import DeviceError, DeviceNotFoundError
from sottovoce.core.log import get_logger

_logger = get_logger("audio")

#: How long a capture may go without a block, at least: what it did not get in time waits in the sound server, and is
#: lost if the stream is opened anew. On a machine busy enough, 100 ms pass.
_LEAST_SILENT_CAPTURE_S = 0.25


@dataclass(frozen=True, slots=True)
class LiveStream:
    """A stream that was opened, with everything that has to stay in memory while the host may call back."""

    generation: int
    device: Device
    samplerate: int
    channels: int
    blocksize: int
    stream: HostStream
    callback: StreamCallback
    opened_ns: int
    watchdog: Watchdog
    rest: RestWatch | None


class StreamOpener:
    """Opens the streams of one keeper, on threads that may hang and be given up.

    Parameters
    ----------
    config : StreamConfig
        What is wanted.
    make_callback : callable
        Makes the compiled callback of each stream.
    host : Host
        The audio system.
    latency : LatencyControl
        Says which latency to ask for.
    rests : Rests or None
        Says on which device the stream may rest.
    """

    def __init__(
        self,
        config: StreamConfig,
        make_callback: CallbackFactory,
        host: Host,
        clock: Clock,
        latency: LatencyControl,
        rests: Rests | None,
    ) -> None:
        self._config = config
        self._make_callback = make_callback
        self._host = host
        self._clock = clock
        self._latency = latency
        self._rests = rests
        self._told_fallback = False

    def open(self, devices: Sequence[Device], command: OpenStream) -> LiveStream:
        """A started stream on the first of the devices that can be opened.

        Raises
        ------
        DeviceError
            What the first one has against it, if none can.
        """
        refusal: DeviceError | None = None
        for device in devices:
            try:
                return self._open_on(device, command)
            except DeviceError as error:
                refusal = refusal or error
        raise refusal or DeviceNotFoundError(f"there is no {self._config.kind} device")

    def _open_on(self, device: Device, command: OpenStream) -> LiveStream:
        config, generation = self._config, command.generation
        refusal: DeviceError | None = None
        latency_s = self._latency.opens(device, rested=command.rested)
        for samplerate, channels in formats_to_try(config, device):
            blocksize = config.block_frames(samplerate)
            callback = self._make_callback(generation, samplerate, channels, device)
            if command.on_trial:
                callback.hold()
            request = StreamRequest(
                kind=config.kind,
                device_id=device.id,
                device_name=device.name,
                samplerate=samplerate,
                channels=channels,
                blocksize=blocksize,
                latency_s=latency_s,
                callback_address=callback.address,
                finished_address=callback.finished_address,
                userdata=callback.userdata,
            )
            try:
                stream = self._host.open(request)
            except DeviceError as error:
                refusal = refusal or error  # the first one speaks of what was wanted
                continue
            held_s = stream.latency_s or latency_s
            callback.expect_within(held_s + blocksize / samplerate)
            watchdog = _watchdog_of(config.kind, blocksize / samplerate, held_s)
            rest = self._rests.watch(device) if self._rests is not None else None
            live = LiveStream(
                generation, device, samplerate, channels, blocksize, stream, callback, self._clock.now_ns(), watchdog,
                rest,
            )  # fmt: skip
            try:
                stream.start()
            except DeviceError:
                close_stream(live)
                raise
            if command.reason != "start" and not self._told_fallback:
                self._told_fallback = tell_fallback(config, device, samplerate)
            return live
        raise refusal or DeviceNotFoundError(f"device {device.name!r} has no {config.kind} channels")


def close_stream(live: LiveStream) -> None:
    """Stop a stream at once and close it; may hang while a sound server hangs."""
    for step in (live.stream.abort, live.stream.close):
        try:
            step()
        except DeviceError as error:  # of a device that is gone; what matters is that the next step follows
            _logger.debug("generation %d: %s", live.generation, error)


def _watchdog_of(kind: Kind, period_s: float, latency_s: float) -> Watchdog:
    if kind == "input":
        return Watchdog(period_s, latency_s, least_s=_LEAST_SILENT_CAPTURE_S)
    return Watchdog(period_s, latency_s)
