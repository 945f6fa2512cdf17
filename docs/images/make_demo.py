"""Make demo.svg: the demo as it looks in a terminal, from a real run.

python docs/images/make_demo.py
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from rich.console import Console

from sottovoce.app.context import AppContext
from sottovoce.app.demo import command

HERE = Path(__file__).parent


def main() -> None:
    """Run the demo into a console that remembers, and draw it."""
    app = AppContext()
    app.console = Console(record=True, width=100, file=io.StringIO(), highlight=False)
    app.override("session.store", False, "--set")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        command.main(["--out", "conversation.wav"], obj=app, standalone_mode=False)
    drawing = app.console.export_svg(title="sottovoce demo", unique_id="demo")
    lines = [line.rstrip() for line in drawing.splitlines() if "@import" not in line]
    (HERE / "demo.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
