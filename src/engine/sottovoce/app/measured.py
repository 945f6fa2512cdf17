"""Whether a session is measured, and who may see it: nobody, unless the settings say so."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sottovoce.app.context import AppContext
from sottovoce.app.sessions import warn
from sottovoce.app.settings import Config, backend_list
from sottovoce.app.system_packages import pip_install
from sottovoce.assistant.pipeline import Pipeline
from sottovoce.assistant.ports import Observer
from sottovoce.audio.player import Player
from sottovoce.audio.recorder import Recorder
from sottovoce.core.errors import BackendUnavailableError

if TYPE_CHECKING:
    from sottovoce.app.purse import Purse
    from sottovoce.metrics.registry import Registry
    from sottovoce.metrics.server import MetricsServer
    from sottovoce.metrics.traces import TurnTraces

#: What can be seen of a session in its metrics, for whoever is about to show them to others.
VISIBLE = "the names of your devices and backends, when and how long you speak, and what it costs; never what was said"


def seen_by_others(address: str) -> bool:
    """Whether what listens at this address can be reached from elsewhere; so it is if nobody knows."""
    try:
        return address != "localhost" and not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


@dataclass(frozen=True, slots=True)
class Measured:
    """What measures a session.

    Attributes
    ----------
    observers : tuple of Observer
        To be told everything that happens; none if nothing is measured.
    url : str
        Where the metrics are; empty if they are nowhere.
    """

    observers: tuple[Observer, ...] = ()
    url: str = ""
    _registry: Registry | None = None

    @contextmanager
    def watching(
        self, player: Player, recorder: Recorder, pipeline: Pipeline, purse: Purse, played: Recorder | None = None
    ) -> Iterator[None]:
        """Tell of these too when somebody looks, as long as they are there; ``played`` hears what is played here."""
        if self._registry is None:
            yield
            return
        from sottovoce.app.metering import engine

        with self._registry.asking(
            lambda: engine.of_player(player.snapshot_state()),
            lambda: engine.of_recorder(recorder.snapshot_state()),
            lambda: engine.of_recorder(played.snapshot_state(), "loopback") if played is not None else (),
            lambda: engine.of_pipeline(pipeline),
            lambda: engine.of_purse(purse),
        ):
            yield


@contextmanager
def measured_session(app: AppContext) -> Iterator[Measured]:
    """Measure a session as the settings want it.

    Raises
    ------
    ConfigError
        The port is in use, or the address is none of this machine.
    BackendUnavailableError
        The extra that it needs is not installed.
    """
    metrics = app.config.metrics
    with ExitStack() as stack:
        observers: list[Observer] = []
        registry, url = None, ""
        if metrics.port is not None:
            registry, server = _serve(metrics.port, metrics.address)
            stack.enter_context(closing(server))
            url = server.url
            if server.exposed:
                warn(app, f"whoever reaches {server.address} sees {VISIBLE}", "metrics.address = 127.0.0.1 is private")
            observers.append(_meter(stack, registry, app.config))
        if metrics.traces:
            from sottovoce.app.metering.traces import TurnWatch

            traces = stack.enter_context(closing(_traces(app)))
            observers.append(TurnWatch(traces))
        yield Measured(tuple(observers), url, registry)


def _serve(port: int, address: str) -> tuple[Registry, MetricsServer]:
    try:
        from sottovoce.metrics.server import MetricsServer
    except ModuleNotFoundError as error:
        raise _lacking(error, "metrics") from error
    from sottovoce.metrics.registry import Registry

    registry = Registry()
    return registry, MetricsServer(registry, port, address)


def _meter(stack: ExitStack, registry: Registry, config: Config) -> Observer:
    from sottovoce.app.metering.session import SessionMeter

    named = {"asr": config.asr.backend, "llm": config.llm.backend, "tts": config.tts.backend}
    meter = SessionMeter(registry, {part: backend_list(names)[0] for part, names in named.items()})
    stack.enter_context(registry.asking(meter.readings))
    return meter


def _traces(app: AppContext) -> TurnTraces:
    try:
        from sottovoce.metrics.traces import TurnTraces
    except ModuleNotFoundError as error:
        raise _lacking(error, "otel") from error
    if not TurnTraces.lead_somewhere():
        warn(app, "traces are made and go nowhere", "start it as `opentelemetry-instrument sottovoce live`")
    return TurnTraces()


def _lacking(error: ModuleNotFoundError, extra: str) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"the Python package of {error.name!r} is not installed",
        backend=extra,
        install_hint=pip_install(f"sottovoce[{extra}]"),
    )
