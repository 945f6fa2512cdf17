"""Scrapes metrics again and again, until its standard input is closed, and then tells how long each scrape took.

    python bench/peers/scraper.py URL EVERY_S

Standard library only, and in a process of its own: what it costs is not the session's.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request


def main(url: str, every_s: float) -> None:
    """Scrape, and print the times in milliseconds as JSON."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    took_ms: list[float] = []
    size = 0
    while True:
        began = time.perf_counter()
        with urllib.request.urlopen(url, timeout=10.0) as answer:
            size = len(answer.read())
        took_ms.append(1e3 * (time.perf_counter() - began))
        if ended.wait(every_s):
            break
    print(json.dumps({"took_ms": took_ms, "bytes": size}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
