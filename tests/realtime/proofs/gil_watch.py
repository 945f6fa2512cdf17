"""Run by gdb: counts, by thread, who asks for the GIL while a program runs, and writes that to the file GIL_WATCH.

GIL_WATCH=hits.json gdb -batch -nx -x gil_watch.py --args python streaming.py native
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import gdb  # type: ignore[import-not-found,import-untyped,unused-ignore]  # exists only inside gdb

#: Whoever needs Python from a thread that Python did not start calls the first; whoever comes back to it, the second.
FUNCTIONS = ("PyGILState_Ensure", "PyEval_RestoreThread")

hits = {name: Counter[str]() for name in FUNCTIONS}


class Watch(gdb.Breakpoint):  # type: ignore[misc,unused-ignore]
    """Counts and goes on."""

    def stop(self) -> bool:
        """Called by gdb at each hit; False lets the program go on."""
        hits[self.location][str(gdb.selected_thread().ptid[1])] += 1
        return False


for setting in (
    "pagination off",
    "debuginfod enabled off",
    "breakpoint pending on",
    "print thread-events off",
    "auto-load off",
):
    gdb.execute(f"set {setting}")
gdb.execute("handle all nostop noprint pass")
watches = [Watch(name) for name in FUNCTIONS]
gdb.execute("run")
Path(os.environ["GIL_WATCH"]).write_text(json.dumps(hits), encoding="utf-8")
