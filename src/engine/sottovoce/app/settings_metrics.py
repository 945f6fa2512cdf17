"""Settings of what a session shows to a machine that watches; a part of :mod:`sottovoce.app.settings`."""

from __future__ import annotations

from pydantic import Field

from sottovoce.app.setting_types import PortOrNone, Section


class MetricsSettings(Section):
    """Figures for a machine that watches: Prometheus, OpenTelemetry. Off unless you say so; see docs/metrics.md."""

    port: PortOrNone = Field(
        default=None, description="Port at which Prometheus finds the metrics of a live session; 0 takes a free one."
    )
    address: str = Field(
        default="127.0.0.1",
        pattern=r"^[A-Za-z0-9.:%_-]+$",
        max_length=253,
        description="Address at which it listens. The default is seen by this machine alone; with another one, whoever "
        "reaches it sees names of devices and backends, times and costs, and never what was said.",
        json_schema_extra={"allowed": "an address of this machine, or a name that leads to one"},
    )
    traces: bool = Field(
        default=False,
        description="Whether every turn is handed to OpenTelemetry as a trace, without its words; where it goes is up "
        "to how that is set up.",
    )
