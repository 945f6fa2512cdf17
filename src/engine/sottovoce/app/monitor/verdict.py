"""Whether the engine is healthy, from two looks at it: what is wrong, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from sottovoce.app.monitor.look import CLIP_DBFS, Growth, Look, period_s
from sottovoce.audio.bluetooth import TelephoneQuality
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.core.units import FLOOR_DB

#: So many recreates within the time between two looks are a storm.
STORM = 3

#: Share of a block's length that the callback may take at p99; the rest is for the system and for what is unforeseen.
LATE_SHARE = 0.5

#: A stream without a block for so long (s) stands still.
STALL_S = 0.5

#: How long (s) two looks must be apart before silence of a microphone means anything.
SILENCE_S = 1.0

#: A device at this samplerate (Hz) or below sounds like a telephone.
TELEPHONE_HZ = 16_000

#: Names as a person calls the two directions.
NAMES = {"output": "output", "input": "microphone"}


class Health(Enum):
    """From good to bad; "starting" is good as far as anybody can tell."""

    STARTING = "starting"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    Attributes
    ----------
    name : str
        For a program, as "output-starving".
    health : Health
        WARNING if sound still passes, BAD if something is lost.
    what, mend : str
        For a person: what is seen, and what to do.
    """

    name: str
    health: Health
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health of everything, and its problems, the worst first."""

    health: Health
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Verdict:
        """With the worst problem first."""
        ordered = sorted(problems, key=lambda problem: problem.health is not Health.BAD)
        return cls(ordered[0].health if ordered else Health.GOOD, tuple(ordered))


def judge(before: Look, now: Look) -> Verdict:
    """What two looks at the engine, a few seconds apart, say of it."""
    apart_s = (now.at_ns - before.at_ns) / 1e9
    problems: list[Problem] = []
    for kind, report in now.reports.items():
        growth = Growth(before.reports.get(kind), report)
        standing = _standing(growth, apart_s, kind)
        problems += [standing] if standing else _problems(growth, kind)
        if not standing:
            problems += _levels(now.highest_dbfs.get(kind, report.peak_dbfs), report, kind, apart_s)
    if problems:
        return Verdict.of(problems)
    heard = all(report.counters.get("blocks", 1) for report in now.reports.values())
    return Verdict(Health.GOOD if heard else Health.STARTING)


def _problems(growth: Growth, kind: str) -> Iterator[Problem]:
    """What is wrong with a stream that runs."""
    yield from _opened_again(growth, kind)
    yield from _late(growth, kind)
    if starved := growth.of("underruns"):
        what = f"a source ran dry: {_blocks(starved)} had too little to play"
        yield Problem(f"{kind}-starving", Health.BAD, what, "write sooner, or keep more queued: a longer prebuffer")
    if lost := growth.of("overrun_frames"):
        what = f"{lost} frames of the {NAMES[kind]} were lost: nobody read them in time"
        yield Problem(f"{kind}-overrun", Health.BAD, what, "read sooner, or hold more: a larger buffer")
    yield from _gaps(growth, kind)
    if growth.now.latency.at_ceiling:
        what = f"the latency of the {NAMES[kind]} can grow no further, and blocks are still missed"
        yield Problem(f"{kind}-latency-ceiling", Health.WARNING, what, "a less busy machine, or another device")
    yield from _damaged(growth, kind)
    yield from _telephone(growth.now, kind)


def _standing(growth: Growth, apart_s: float, kind: str) -> Problem | None:
    """Why nothing passes at all, if that is so; nothing else is worth telling then."""
    report, name = growth.now, NAMES[kind]
    why = report.recreate_reason or "it was not opened"
    match report.state:
        case StreamState.LOST:
            mend = "plug it in again, or start the sound server: it goes on by itself"
            return Problem(f"{kind}-lost", Health.BAD, f"the {name} is lost: {why}", mend)
        case StreamState.RECREATING:
            mend = "wait: what is queued is kept"
            return Problem(f"{kind}-reopening", Health.WARNING, f"the {name} is being opened again: {why}", mend)
        case StreamState.RUNNING if apart_s >= STALL_S and "blocks" in report.counters:
            if growth.before is not None and not growth.of("blocks") and growth.before.generation == report.generation:
                mend = "look whether the device is suspended; a dead stream is opened again by itself"
                return Problem(f"{kind}-stalled", Health.BAD, f"the {name} stands still: no block arrives", mend)
        case StreamState.CLOSED:
            return Problem(f"{kind}-closed", Health.BAD, f"the {name} is closed", "start again")
        case _:
            pass
    return None


def _opened_again(growth: Growth, kind: str) -> Iterator[Problem]:
    times = growth.recreates
    if times <= 0:
        return
    name, reason = NAMES[kind], growth.now.recreate_reason
    if times >= STORM:
        what = f"the {name} was opened again {times} times: {reason}"
        yield Problem(f"{kind}-storm", Health.BAD, what, "look at plug, cable and battery, or use another device")
        return
    lasted = ""
    if growth.now.recreate_durations_ns:
        lasted = f", which took {growth.now.recreate_durations_ns[-1] / 1e6:.0f} ms"
    what = f"the {name} was opened again{lasted}: {reason}"
    yield Problem(f"{kind}-reopened", Health.WARNING, what, "nothing, if it stays at that")


def _late(growth: Growth, kind: str) -> Iterator[Problem]:
    earlier = growth.before.callback if growth.before else DurationStats()
    recent, block_s = growth.now.callback.since(earlier), period_s(growth.now)
    if not recent.count or not block_s:
        return
    name, mend = NAMES[kind], "audio.blocksize = 512 or more, or a less busy machine"
    if growth.now.priority.text == "normal":
        mend = "let it have realtime priority: `sottovoce doctor` tells how"
    if recent.p99_ns >= LATE_SHARE * block_s * 1e9:
        share = recent.p99_ns / block_s / 1e7
        what = f"the callback of the {name} takes too long: {share:.0f} % of a block at p99"
        yield Problem(f"{kind}-late", Health.BAD, what, mend)
    elif recent.max_ns > block_s * 1e9:
        what = f"a callback of the {name} took {recent.max_ns / 1e6:.1f} ms, longer than a block"
        yield Problem(f"{kind}-slow-block", Health.WARNING, what, mend)


def _gaps(growth: Growth, kind: str) -> Iterator[Problem]:
    flag = "pa_output_underflows" if kind == "output" else "pa_input_overflows"
    if times := max(growth.of("late_blocks"), growth.of(flag)):  # two witnesses of the same
        what = f"blocks of the {NAMES[kind]} came too late {_times(times)}: gaps in the sound"
        yield Problem(f"{kind}-gaps", Health.WARNING, what, 'audio.latency = "auto" or "high", or a less busy machine')


def _levels(highest_dbfs: float, report: StreamReport, kind: str, apart_s: float) -> Iterator[Problem]:
    if highest_dbfs >= CLIP_DBFS:
        mend = "lower audio.playback_gain_db" if kind == "output" else "lower the microphone's gain in the system"
        yield Problem(f"{kind}-clipping", Health.WARNING, f"the {NAMES[kind]} clips: it is too loud", mend)
    heard = report.counters.get("blocks", 0) > 0 and apart_s >= SILENCE_S
    if kind == "input" and heard and highest_dbfs <= FLOOR_DB:
        what = "the microphone is silent: not even noise comes from it"
        yield Problem("input-silent", Health.WARNING, what, microphone_advice())


def _damaged(growth: Growth, kind: str) -> Iterator[Problem]:
    name = NAMES[kind]
    if broken := growth.of("errors", "shape_mismatches"):
        what = f"{_blocks(broken)} of the {name} could not be used and were silent: no buffer, or too many frames"
        yield Problem(f"{kind}-broken-blocks", Health.BAD, what, "set audio.blocksize to 256")
    if failed := growth.of("resample_errors"):
        what = f"resampling of the {name} failed {_times(failed)}"
        yield Problem(f"{kind}-resample-errors", Health.BAD, what, 'audio.resample_mode = "producer"')
    if scrubbed := growth.of("scrubbed_samples"):
        what = f"{scrubbed} samples of the {name} were no numbers, and were silenced"
        yield Problem(f"{kind}-scrubbed", Health.WARNING, what, "look at what makes them: NaN or infinity")


def _telephone(report: StreamReport, kind: str) -> Iterator[Problem]:
    if report.state is StreamState.RUNNING and 0 < report.samplerate <= TELEPHONE_HZ:
        what = f"the {NAMES[kind]} has telephone quality: {report.samplerate} Hz"
        mend = "a Bluetooth headset falls to it while its microphone is used: choose another microphone"
        yield Problem(f"{kind}-telephone", Health.WARNING, what, mend)


def headset_problem(telephone: TelephoneQuality) -> Problem:
    """What was found of a headset that plays in telephone quality because its own microphone is in use."""
    return Problem("output-telephone", Health.WARNING, telephone.problem, telephone.advice)


def microphone_advice() -> str:
    """What to do about a microphone that hears nothing at all, on this system."""
    if sys.platform == "darwin":
        return "unmute it, and allow the terminal to use it: System Settings, Privacy & Security, Microphone"
    if sys.platform == "win32":
        return "unmute it, and allow desktop apps to use it: Settings, Privacy & security, Microphone"
    return "unmute it: pavucontrol or alsamixer, and the switch on the headset"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"
