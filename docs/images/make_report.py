"""Makes report.png: the report of a demo, as Chromium shows it.

python docs/images/make_report.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from sottovoce.app.report.page import report_html
from sottovoce.session.store import SessionStore

COLUMNS, ROWS = 1000, 820


def main() -> int:
    """Hold a demo, write its report, take its picture."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.stderr.write("no Chromium is installed\n")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, page, picture = folder / "sessions.db", folder / "report.html", Path(__file__).with_name("report.png")
        demo = [sys.executable, "-m", "sottovoce", "demo", "--out", str(folder / "demo.wav")]
        subprocess.run([*demo, "--set", f"session.path={path}"], check=True, stdout=subprocess.DEVNULL)
        with SessionStore(path) as store:
            record = store.session(store.sessions()[0].id)
        shown = replace(record, summary=replace(record.summary, notes="sample_notes"), settings={})
        page.write_text(report_html(shown), encoding="utf-8")
        looks = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={COLUMNS},{ROWS}"]
        subprocess.run([browser, *looks, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
