"""Make monitor.svg: the monitor as it looks in a terminal, from a real run on the devices of this machine.

python docs/images/make_monitor.py
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from sottovoce.app.context import AppContext
from sottovoce.app.monitor.command import command

HERE = Path(__file__).parent


def main() -> None:
    """Run the monitor into a console that remembers, and draw it."""
    app = AppContext()
    app.console = Console(record=True, width=100, file=io.StringIO(), highlight=False, force_terminal=True)
    command.main(["--once", "--for", "12", "--tone", "440"], obj=app, standalone_mode=False)
    drawing = app.console.export_svg(title="sottovoce monitor", unique_id="monitor")
    lines = [line.rstrip() for line in drawing.splitlines() if "@import" not in line]
    (HERE / "monitor.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
