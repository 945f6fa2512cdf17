"""Every metric of a session: its name, what it says, and how it is counted. The documentation is made of it.

Names wear their unit. None has a label that could hold what was said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

#: What the name of a metric ends with; a counter ends with ``_total`` behind its unit.
UNITS = ("seconds", "ratio", "usd", "dbfs", "hertz", "items", "state", "info")

_NAME = re.compile(r"sottovoce(_[a-z0-9]+)+")
_COUNTED = re.compile(r"_total$")


class Kind(StrEnum):
    """How a metric is counted, in the words of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name : str
        Begins with ``sottovoce_``, ends with a unit, or with ``_total`` if it is a counter.
    kind : Kind
        How it is counted.
    help : str
        One sentence, for whoever reads it on a dashboard.
    labels : tuple of str
        What it is told apart by.
    buckets : tuple of float
        Of a histogram: the largest value that each holds, rising.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a metric: sottovoce_..., small letters, digits and _")
        counted = _COUNTED.search(self.name) is not None
        if counted is not (self.kind is Kind.COUNTER) or not (counted or self.name.rpartition("_")[2] in UNITS):
            raise ValueError(f"{self.name!r}, a {self.kind}, must end with {'_total' if not counted else 'a unit'}")
        if bool(self.buckets) is not (self.kind is Kind.HISTOGRAM) or list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError(f"{self.name!r}, a {self.kind}, has the buckets {self.buckets}")


#: Borders (s) of what the engine's own histograms are told in, four an octave from 4 µs to 268 ms. Each is one of
#: theirs, so that nothing is counted on the wrong side.
NATIVE_BORDERS_NS = (*((4 + quarter) << (octave - 2) for octave in range(12, 28) for quarter in range(4)), 1 << 28)
_NATIVE = tuple(border / 1e9 for border in NATIVE_BORDERS_NS)

_RESPONSE = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0, 30.0)
_STAGE = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_SIDE = ("direction",)
_MODEL = ("part", "provider", "model")

# The session.
SESSION_INFO = Metric("sottovoce_session_info", _G, "Always 1: the version that runs.", ("version",))
UPTIME = Metric("sottovoce_session_uptime_seconds", _G, "How long the session has lasted.")
HEARD = Metric("sottovoce_heard_seconds_total", _C, "Sound that the ear has given, whether it was speech or not.")

# The engine.
CALLBACK = Metric("sottovoce_stream_callback_seconds", _H, "How long a callback took.", _SIDE, _NATIVE)
INTERVAL = Metric(
    "sottovoce_stream_interval_seconds", _H, "From one callback to the next: its spread is jitter.", _SIDE, _NATIVE
)
RESAMPLING = Metric(
    "sottovoce_stream_resampling_seconds", _H, "What resampling took of a callback, where it resamples.", _SIDE, _NATIVE
)
FLUSH = Metric("sottovoce_flush_seconds", _H, "From the voice being silenced to the mixer being silent.", (), _NATIVE)
BLOCKS = Metric("sottovoce_stream_blocks_total", _C, "Blocks that the device has given or taken.", _SIDE)
UNDERRUNS = Metric(
    "sottovoce_stream_underruns_total", _C, "Blocks in which a source had run dry in mid-utterance.", _SIDE
)
STARVATIONS = Metric("sottovoce_stream_starvations_total", _C, "How often a source has run dry.", _SIDE)
OVERRUNS = Metric("sottovoce_stream_overruns_total", _C, "Blocks of which sound was lost, as nobody read it.", _SIDE)
LATE_BLOCKS = Metric(
    "sottovoce_stream_late_blocks_total", _C, "Blocks before which the device's own buffer had run dry, or over.", _SIDE
)
HOST_FLAGS = Metric(
    "sottovoce_stream_host_flags_total", _C, "Blocks that PortAudio has flagged, by its flag.", (*_SIDE, "flag")
)
MISMATCHES = Metric(
    "sottovoce_stream_generation_mismatches_total", _C, "Callbacks of a stream that had been retired.", _SIDE
)
FAULTS = Metric(
    "sottovoce_stream_faults_total", _C, "What a callback has caught: wrong shapes, no buffer, NaN.", (*_SIDE, "fault")
)
RECREATES = Metric("sottovoce_stream_recreates_total", _C, "How often the stream was opened anew.", _SIDE)
RECREATE = Metric("sottovoce_stream_recreate_seconds", _G, "How long opening it anew took, the last time.", _SIDE)
RECREATE_WORST = Metric("sottovoce_stream_recreate_worst_seconds", _G, "The longest of the last 64.", _SIDE)
STREAM_STATE = Metric("sottovoce_stream_state", _G, "1 for the state that the stream is in, else 0.", (*_SIDE, "state"))
STREAM_INFO = Metric("sottovoce_stream_info", _G, "Always 1: the device that the stream runs on.", (*_SIDE, "device"))
SAMPLERATE = Metric("sottovoce_stream_samplerate_hertz", _G, "Samplerate of the stream; 0 while there is none.", _SIDE)
LATENCY = Metric("sottovoce_stream_latency_seconds", _G, "Latency of the stream, as the host reports it.", _SIDE)
RING_FILL = Metric(
    "sottovoce_stream_ring_fill_ratio", _G, "How full the fullest ring is: near 1 the input is about to lose.", _SIDE
)
PEAK = Metric("sottovoce_stream_peak_dbfs", _G, "The largest level of late; silence is -120.", _SIDE)
RMS = Metric("sottovoce_stream_rms_dbfs", _G, "The mean level of the last 125 ms.", _SIDE)
YIELDS = Metric("sottovoce_yields_total", _C, "How often the voice has yielded to somebody who spoke.")

# Turns.
TURNS = Metric("sottovoce_turns_total", _C, "Turns that have ended, by how.", ("outcome",))
RESPONSE = Metric(
    "sottovoce_turn_response_seconds",
    _H,
    "From the true end of the question to the first sample of its answer in the ear.",
    (),
    _RESPONSE,
)
STAGE = Metric(
    "sottovoce_turn_stage_seconds", _H, "How long each stage of a turn took; they overlap.", ("stage",), _STAGE
)
WAITING = Metric(
    "sottovoce_turn_waiting_seconds", _G, "How long the oldest question has been waiting to be answered; 0 if none."
)
UTTERANCES = Metric("sottovoce_utterances_total", _C, "Utterances that were heard, by who spoke.", ("speaker",))
IGNORED = Metric("sottovoce_utterances_ignored_total", _C, "Those that raised no turn.")
THESES = Metric("sottovoce_theses_total", _C, "Theses, by what became of them.", ("fate",))

# Speculation.
SPECULATIONS = Metric(
    "sottovoce_speculations_total", _C, "Answers begun before the question was over: taken, or in vain.", ("result",)
)
WASTED = Metric("sottovoce_wasted_calls_total", _C, "Work that was asked for in vain, as speech went on.", ("part",))

# Backends and money.
CALLS = Metric(
    "sottovoce_backend_calls_total", _C, "Recognitions, answers and speeches, by who answers.", ("part", "backend")
)
ERRORS = Metric(
    "sottovoce_backend_errors_total", _C, "Failures, those among them that another made good.",
    ("part", "backend", "kind"),
)  # fmt: skip
FALLBACKS = Metric("sottovoce_backend_changes_total", _C, "How often another backend has taken over.", ("part",))
ANSWERING = Metric("sottovoce_backend_state", _G, "1 for the backend that answers now, else 0.", ("part", "backend"))
SERVICE_CALLS = Metric("sottovoce_service_calls_total", _C, "Calls of services that have ended.", _MODEL)
SERVICE_TOKENS = Metric(
    "sottovoce_service_tokens_total", _C, "Tokens, by way; cached ones are among those sent.", (*_MODEL, "way")
)
SERVICE_COST = Metric("sottovoce_service_cost_usd_total", _C, "What services have cost, where it is known.", _MODEL)
UNPRICED = Metric("sottovoce_service_unpriced_calls_total", _C, "Calls whose price nobody knows.", _MODEL)
BUDGET_SPENT = Metric("sottovoce_budget_spent_usd", _G, "What was spent in this session, and today.", ("scope",))
BUDGET_LIMIT = Metric("sottovoce_budget_limit_usd", _G, "What may be spent, where it is limited.", ("scope", "level"))

# Queues and drops.
QUEUE = Metric("sottovoce_queue_items", _G, "What waits in a queue.", ("queue",))
QUEUE_CAPACITY = Metric("sottovoce_queue_capacity_items", _G, "How much it holds.", ("queue",))
QUEUE_DROPPED = Metric("sottovoce_queue_dropped_total", _C, "What was dropped, as it was full.", ("queue",))
SEGMENTS_DROPPED = Metric("sottovoce_segments_dropped_total", _C, "Speech that was not transcribed.", ("reason",))
STALE = Metric("sottovoce_stale_results_total", _C, "Results that came too late, and were dropped.")

#: By the part of the session that they are of, in the order of the documentation.
CATALOGUE: dict[str, tuple[Metric, ...]] = {
    "Session": (SESSION_INFO, UPTIME, HEARD),
    "Engine": (
        CALLBACK, INTERVAL, RESAMPLING, FLUSH, BLOCKS, UNDERRUNS, STARVATIONS, OVERRUNS, LATE_BLOCKS, HOST_FLAGS,
        MISMATCHES, FAULTS, RECREATES, RECREATE, RECREATE_WORST, STREAM_STATE, STREAM_INFO, SAMPLERATE, LATENCY,
        RING_FILL, PEAK, RMS, YIELDS,
    ),
    "Turns": (TURNS, RESPONSE, STAGE, WAITING, UTTERANCES, IGNORED, THESES),
    "Speculation": (SPECULATIONS, WASTED),
    "Backends and money": (
        CALLS, ERRORS, FALLBACKS, ANSWERING, SERVICE_CALLS, SERVICE_TOKENS, SERVICE_COST, UNPRICED, BUDGET_SPENT,
        BUDGET_LIMIT,
    ),
    "Queues and drops": (QUEUE, QUEUE_CAPACITY, QUEUE_DROPPED, SEGMENTS_DROPPED, STALE),
}  # fmt: skip


def as_markdown() -> str:
    """The table of the documentation."""
    lines = []
    for part, metrics in CATALOGUE.items():
        lines += [f"### {part}", "", "| metric | kind | labels | what it says |", "|---|---|---|---|"]
        for metric in metrics:
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
        lines.append("")
    return "\n".join(lines)
