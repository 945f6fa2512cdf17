"""A real Prometheus, in a folder of its own, that scrapes often and forgets soon."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sottovoce.app.metrics_command import RULES, shipped
from tests.support.soundcard import wait_until

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="no Prometheus: apt-get install prometheus"
)

#: How often it scrapes and computes here; a window of a minute, or of five, holds enough of that in seconds.
EVERY = "400ms"
_SHORTER = {"interval: 15s": f"interval: {EVERY}", "for: 15s": "for: 0s", "[1m]": "[4s]", "[5m]": "[1m]"}

_CONFIG = """
global:
  scrape_interval: {every}
  scrape_timeout: {every}
  evaluation_interval: {every}
rule_files: [rules.yml]
scrape_configs:
  - job_name: sottovoce
    static_configs:
      - targets: ["{target}"]
"""


def shortened(text: str) -> str:
    """The rules with less patience."""
    for long, short in _SHORTER.items():
        assert long in text, f"the rules hold no {long!r} any more"
        text = text.replace(long, short)
    return text


class Prometheus:
    """Scrapes one target."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What a query gives now; an error of Prometheus is an AssertionError."""
        asked = urllib.parse.urlencode({"query": expression})
        return list(self._ask(f"query?{asked}")["result"])

    def value(self, expression: str) -> float | None:
        """The figure of the one series that a query gives; None if it gives none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    def broken_rules(self) -> list[str]:
        """What rules say that went wrong."""
        groups = self._ask("rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def _ask(self, what: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/{what}", timeout=10.0) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{what}: {error.read().decode()}") from error
        assert told["status"] == "success", told
        return dict(told["data"])


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Scrape ``target`` ("host:port"), with the rules that are shipped."""
    (folder / "rules.yml").write_text(shortened(shipped(RULES)), encoding="utf-8")
    (folder / "prometheus.yml").write_text(_CONFIG.format(every=EVERY, target=target), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            server = Prometheus(f"http://{address}")
            wait_until(lambda: server.ready() or process.poll() is not None, 30.0, "Prometheus")
            assert process.poll() is None, (folder / "log").read_text()
            yield server
        finally:
            process.terminate()
            process.wait(20.0)


def expressions(dashboard: str) -> list[tuple[str, str]]:
    """Every query of a dashboard, with the title of its panel, and Grafana's variables put in."""
    board = json.loads(dashboard)
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", ())]
    found += [("annotation", each["expr"]) for each in board["annotations"]["list"] if "expr" in each]
    given = {"$job": ".*", "$instance": ".*", "$__rate_interval": "1m", "$__range": "1h"}
    return [(title, re.sub(r"\$\w+", lambda name: given[name.group()], expression)) for title, expression in found]
