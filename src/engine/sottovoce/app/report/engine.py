"""How the audio engine has done, in words: what a report says of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sottovoce.session.records import Durations, StreamHealth

#: Counters of which each one is sound lost or late, with what it counts in words.
TROUBLES = {
    "underruns": "blocks with too little to play",
    "overruns": "blocks lost, since nobody read them",
    "late_blocks": "blocks that came too late",
    "pa_output_underflows": "gaps that the sound system reports in playback",
    "pa_input_overflows": "gaps that the sound system reports in capture",
    "errors": "blocks without a buffer",
    "shape_mismatches": "blocks of a wrong size",
    "resample_errors": "blocks that could not be resampled",
    "scrubbed_samples": "samples that were no numbers",
}
#: Those that count blocks, once each: the sound system's flags are a second witness of late ones.
_LOST = ("underruns", "overruns", "late_blocks", "errors", "shape_mismatches", "resample_errors")


@dataclass(frozen=True, slots=True)
class StreamView:
    """A stream as the page shows it; ``lost`` are blocks that were lost or late."""

    title: str
    verdict: str
    bad: bool
    lost: int
    facts: tuple[tuple[str, str], ...]
    durations: tuple[tuple[str, ...], ...]
    counters: str


def stream_view(stream: StreamHealth) -> StreamView:
    """What is to be said of a stream."""
    counted = stream.counters
    troubles = [f"{counted[name]} {words}" for name, words in TROUBLES.items() if counted.get(name)]
    if stream.recreates:
        troubles.append(f"opened again {_times(stream.recreates)}, {stream.longest_recreate_ms:.0f} ms at most")
    others = {name: count for name, count in counted.items() if count and name not in TROUBLES}
    return StreamView(
        title=f"{stream.direction.capitalize()}: {stream.device or 'no device'}",
        verdict=f"{'; '.join(troubles)}." if troubles else "Nothing was lost, and nothing came late.",
        bad=any(counted.get(name) for name in TROUBLES),
        lost=sum(counted.get(name, 0) for name in _LOST),
        facts=tuple(_facts(stream).items()),
        durations=tuple(_durations(stream)),
        counters=", ".join(f"{name} {count}" for name, count in others.items()),
    )


def _facts(stream: StreamHealth) -> dict[str, str]:
    grown = f", grown {_times(stream.latency_grown)}" if stream.latency_grown else ""
    facts = {
        "state at the end": stream.state,
        "Bluetooth": "yes" if stream.bluetooth else "not by its name",
        "format": f"{stream.samplerate} Hz, {_channels(stream)}, blocks of {stream.blocksize} frames",
        "latency": f"{stream.latency_ms:.1f} ms, asked for {stream.asked_latency_ms:.1f} ms{grown}",
        "thread of the callback": stream.priority,
        "way into the sound system": stream.way,
        "opened again, the last time": stream.recreate_reason,
    }
    if not stream.samplerate:  # lost, or resting from the start
        del facts["format"], facts["latency"]
    return {name: value for name, value in facts.items() if value}


def _durations(stream: StreamHealth) -> list[tuple[str, ...]]:
    measured: Mapping[str, Durations] = {
        "callback": stream.callback,
        "between callbacks": stream.interval,
        "resampling": stream.resampling,
    }
    return [
        (
            name,
            str(of.count),
            *(f"{us:.1f}" if us < 1000 else f"{us:.0f}" for us in (of.p50_us, of.p95_us, of.p99_us, of.max_us)),
        )
        for name, of in measured.items()
        if of.count
    ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _channels(stream: StreamHealth) -> str:
    return {1: "mono", 2: "stereo"}.get(stream.channels, f"{stream.channels} channels")
