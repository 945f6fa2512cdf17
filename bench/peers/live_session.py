"""`sottovoce live`, which on SIGUSR1 writes the names of its threads, by their numbers in the system, to a file."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

from sottovoce.__main__ import main


def write_names(file: Path) -> None:
    """Of all threads that Python knows; whole at once."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(names), encoding="utf-8")
    part.replace(file)


if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda number, frame: write_names(file))
    sys.exit(main())
