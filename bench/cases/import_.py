"""What `import sottovoce` costs a fresh interpreter: milliseconds over its bare start, and memory.

Interpreters with and without the import take turns, so that a busy moment of the machine falls on both; the figure is
the median of the differences of neighbours. Memory is the resident set of an interpreter that has done the import.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import psutil

TARGETS = {"import_ms": ("<", 60.0)}

BARE = "pass"
IMPORT = "import sottovoce"
WAIT = "; print(flush=True); input()"


def start_ms(code: str) -> float:
    """Milliseconds from the start of an interpreter that runs ``code`` to its end."""
    began_ns = time.perf_counter_ns()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter_ns() - began_ns) / 1e6


def resident_mb(code: str) -> float:
    """Resident memory in MB (1e6 bytes) of an interpreter after ``code``."""
    with subprocess.Popen(
        [sys.executable, "-c", code + WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdout.readline() == "":
            raise RuntimeError(f"an interpreter that runs {code!r} ended early")
        resident = psutil.Process(process.pid).memory_info().rss
        process.communicate("\n")
    return float(resident) / 1e6


def run(quick: bool) -> dict[str, float]:
    """Measure over 7 (quick) or 41 pairs of interpreters."""
    start_ms(IMPORT)  # writes the .pyc files and fills the page cache
    pairs = [(start_ms(BARE), start_ms(IMPORT)) for _ in range(7 if quick else 41)]
    return {
        "import_ms": statistics.median(loaded - bare for bare, loaded in pairs),
        "bare_start_ms": statistics.median(bare for bare, _ in pairs),
        "rss_mb": resident_mb(IMPORT),
        "rss_bare_mb": resident_mb(BARE),
    }
