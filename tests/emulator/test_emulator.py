"""The emulator as it is started by hand."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from itertools import islice
from urllib.parse import urlsplit

import pytest

from tests.rules.sources import ROOT


def test_started_by_hand_it_says_how_to_reach_it_and_answers() -> None:
    pytest.importorskip("google.cloud.texttospeech", reason='install the extra: pip install -e ".[google]"')
    command = [sys.executable, "-m", "tests.emulator"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            urls = dict(line.removeprefix("export ").strip().split("=") for line in islice(lines, 2, 8))
            url = urls["SOTTOVOCE_OPENAI_BASE_URL"]
            voices = urlsplit(urls["SOTTOVOCE_GOOGLE_BASE_URL"])
            socket.create_connection((voices.hostname, voices.port), timeout=10.0).close()
            with urllib.request.urlopen(f"{url}/models/any", timeout=10.0) as response:
                assert response.status == 200
        finally:
            process.terminate()
