"""The emulator as it is started by hand."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

from tests.rules.sources import ROOT


def test_started_by_hand_it_says_how_to_reach_it_and_answers() -> None:
    command = [sys.executable, "-m", "tests.emulator"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            url = next(line for line in lines if "OPENAI_BASE_URL" in line).strip().partition("=")[2]
            with urllib.request.urlopen(f"{url}/models/any", timeout=10.0) as response:
                assert response.status == 200
        finally:
            process.terminate()
