"""Decides how much latency a device needs: starts low, grows while it starves, creeps back while nobody listens.

No I/O, no clock: what was seen and the time come in, a latency to open the stream with goes out. The shell is
``tuning.py``. What is different from oboe's LatencyTuner, which adds a burst for each glitch and never comes back:

- it grows at once to what would have held what was measured, since each try is a stream opened anew;
- one glitch waits for a pause to be acted on, since opening the stream anew would be the second glitch;
- it comes back, but only to values that would have held all that was measured meanwhile, only while the stream is
  silent, and not to one that has starved before a time has passed that doubles whenever it starves again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_NS = 1_000_000_000

#: From one value to the next.
_STEP = 2**0.5

#: How much of the measured need a value has to hold when it is chosen because it starved.
_HEADROOM = 1.25

#: So many starvations in a short time are acted on at once; one counts twice if the host's flag comes a look later.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class TunerPolicy:
    """How eagerly a latency is changed; all in seconds."""

    #: Highest latency that is asked for, unless the device's own suggestion is higher.
    ceiling_s: float = 0.3
    #: What happens just after a stream was opened says nothing.
    settle_s: float = 1.0
    #: Starvations within this time are acted on together.
    burst_s: float = 10.0
    #: Silence after which a single starvation is acted on.
    short_idle_s: float = 1.0
    #: Silence, and time without a starvation, before a lower value is tried.
    idle_s: float = 5.0
    calm_s: float = 30.0
    #: How long a value that has starved is not tried again; doubles each time it starves again.
    bar_s: float = 60.0
    longest_bar_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class DeviceRange:
    """Of a device: the lowest and highest latency to ask for, and the length of a block; all in seconds."""

    device: str
    floor_s: float
    ceiling_s: float
    block_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a stream.

    Attributes
    ----------
    starvations : int
        How often its device ran dry (or over) since it was opened.
    deepest_s : float
        How far below its fullest the device's buffer has been since the last look, in seconds.
    idle : bool
        Whether nothing has sounded since the last look.
    """

    starvations: int
    deepest_s: float
    idle: bool


@dataclass(frozen=True, slots=True)
class Change:
    """The stream should be opened anew with another latency, in seconds."""

    old_s: float
    new_s: float
    at_ceiling: bool

    @property
    def reason(self) -> str:
        """In words, for a log."""
        why = "the device starves" if self.new_s > self.old_s else "less is enough"
        return f"latency {self.old_s * 1000:.1f} to {self.new_s * 1000:.1f} ms: {why}"


@dataclass(slots=True)
class _Bar:
    until_ns: int = 0
    times: int = 0


@dataclass(slots=True)
class _Known:
    """What was learned of a device; ``rungs`` are the latencies that may be asked for, in seconds."""

    range: DeviceRange
    rungs: tuple[float, ...]
    rung: int = 0
    bars: dict[int, _Bar] = field(default_factory=dict)

    def held_s(self, rung: int) -> float:
        """What the device's buffer holds at a rung: its latency, and the block that it was just given."""
        return self.rungs[rung] + self.range.block_s

    def bar(self, now_ns: int, policy: TunerPolicy) -> None:
        """The rung in use has starved."""
        bar = self.bars.setdefault(self.rung, _Bar())
        bar.times += 1
        bar_s = min(policy.bar_s * 2.0 ** min(bar.times - 1, 32), policy.longest_bar_s)
        bar.until_ns = now_ns + int(bar_s * _NS)

    def is_barred(self, rung: int, now_ns: int) -> bool:
        """Whether it has starved at that rung, or even at a higher one, too short a time ago."""
        return any(bar.until_ns > now_ns for starved, bar in self.bars.items() if starved >= rung)


@dataclass(slots=True)
class _Watched:
    """What was seen of one stream; None is never."""

    opened_ns: int | None = None
    idle_ns: int | None = None
    calm_ns: int = 0
    looked_ns: int = 0
    #: Whether the calm began with the stream before, which was closed for want of sound.
    goes_on: bool = False
    starvations: int = 0
    #: Since the calm began.
    deepest_s: float = 0.0
    #: What would have held while it starved.
    needed_s: float = 0.0
    #: When it starved, and how often, as long as that was not acted on.
    recent: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=64))

    def idle_for(self, seconds: float, now_ns: int) -> bool:
        return self.idle_ns is not None and now_ns - self.idle_ns >= seconds * _NS

    def after_rest(self) -> _Watched:
        """What goes on to count of a stream that was closed for want of sound."""
        return _Watched(calm_ns=self.calm_ns, looked_ns=self.looked_ns, deepest_s=self.deepest_s, goes_on=True)


class LatencyTuner:
    """The state machine of one stream's latency. Not thread-safe.

    Parameters
    ----------
    policy : TunerPolicy
        Limits and intervals.
    """

    def __init__(self, policy: TunerPolicy | None = None) -> None:
        self.policy = policy or TunerPolicy()
        #: How often it grew, on any device.
        self.grown = 0
        self._devices: dict[str, _Known] = {}
        self._known: _Known | None = None
        self._watched = _Watched()

    @property
    def latency_s(self) -> float:
        """The latency in use, in seconds; 0 before the first stream."""
        return self._known.rungs[self._known.rung] if self._known else 0.0

    @property
    def at_ceiling(self) -> bool:
        """Whether it cannot grow any further."""
        return self._known is not None and self._known.rung == len(self._known.rungs) - 1

    def opens(self, device: DeviceRange, *, rested: bool = False) -> float:
        """A stream is about to be opened on a device; returns the latency to ask for, in seconds.

        ``rested``: the one before it was closed for want of sound; what was seen of it goes on to count, and no time
        has passed.
        """
        known = self._devices.get(device.device)
        if known is None or known.range != device:
            known = self._devices[device.device] = _Known(device, _rungs(device.floor_s, device.ceiling_s))
        goes_on = rested and known is self._known
        self._known = known
        self._watched = self._watched.after_rest() if goes_on else _Watched()
        return self.latency_s

    def look(self, seen: Look, now_ns: int) -> Change | None:
        """Judge what was seen at a time of a monotonic clock; returns a change, which counts as made."""
        known, watched = self._known, self._watched
        if known is None:
            return None
        starved, watched.starvations = seen.starvations - watched.starvations, seen.starvations
        if watched.opened_ns is None:
            watched.opened_ns = now_ns
            watched.calm_ns += now_ns - watched.looked_ns  # a rest is no time in which nothing starved
        watched.looked_ns = now_ns
        if not seen.idle:
            watched.idle_ns = None
        elif watched.idle_ns is None:
            watched.idle_ns = now_ns
        if now_ns - watched.opened_ns < self.policy.settle_s * _NS:
            if not watched.goes_on:
                watched.calm_ns = now_ns
            return None
        if starved > 0:
            self._starved(known, starved, seen.deepest_s, now_ns)
        watched.deepest_s = max(watched.deepest_s, seen.deepest_s)
        return self._grow(known, now_ns) or self._creep(known, now_ns)

    def _starved(self, known: _Known, times: int, deepest_s: float, now_ns: int) -> None:
        watched = self._watched
        watched.calm_ns, watched.deepest_s = now_ns, 0.0
        if deepest_s > known.held_s(len(known.rungs) - 1):
            return  # the whole machine stood still: no latency would have held that
        watched.needed_s = max(watched.needed_s, deepest_s)
        watched.recent.append((now_ns, times))

    def _grow(self, known: _Known, now_ns: int) -> Change | None:
        policy, watched = self.policy, self._watched
        if not watched.recent:
            return None
        newest = sum(times for at_ns, times in watched.recent if now_ns - at_ns <= policy.burst_s * _NS)
        if newest < _AT_ONCE and not watched.idle_for(policy.short_idle_s, now_ns):
            return None
        needed_s = _HEADROOM * watched.needed_s
        watched.recent.clear()
        watched.needed_s = 0.0
        known.bar(now_ns, policy)
        if self.at_ceiling:
            return None
        self.grown += 1
        above = range(min(known.rung + 2, len(known.rungs) - 1), len(known.rungs))
        return self._change(known, next((rung for rung in above if known.held_s(rung) >= needed_s), above[-1]))

    def _creep(self, known: _Known, now_ns: int) -> Change | None:
        policy, watched = self.policy, self._watched
        calm = now_ns - watched.calm_ns >= policy.calm_s * _NS
        if known.rung == 0 or watched.recent or not calm or not watched.idle_for(policy.idle_s, now_ns):
            return None
        for rung in range(max(0, known.rung - 2), known.rung):
            if watched.deepest_s <= known.held_s(rung) and not known.is_barred(rung, now_ns):
                return self._change(known, rung)
        watched.calm_ns, watched.deepest_s = now_ns, 0.0  # what was deep a minute ago must not count for ever
        return None

    def _change(self, known: _Known, rung: int) -> Change:
        old_s, known.rung = known.rungs[known.rung], rung
        self._watched = _Watched()
        return Change(old_s, known.rungs[rung], self.at_ceiling)


def _rungs(floor_s: float, ceiling_s: float) -> tuple[float, ...]:
    """Latencies from floor to ceiling, in steps of half an octave."""
    rungs = [floor_s]
    while rungs[-1] * _STEP < ceiling_s:
        rungs.append(rungs[-1] * _STEP)
    return (*rungs, ceiling_s) if ceiling_s > floor_s else (floor_s,)
