"""Draw the pictures of docs/resampler.md: speed against quality, and the passbands.

    PYTHONPATH=. python docs/images/make_resampler_plots.py RESULT.json

RESULT.json is what ``bench/run.py resample --json RESULT.json`` wrote. Needs matplotlib (``pip install ".[bench]"``).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from bench.resample_peers import peers
from bench.resample_quality import run

HERE = Path(__file__).resolve().parent
PAIR, RATES = "44_48", (44100, 48000)
OURS, PEERS = "#0b6e4f", "#8a8d91"


def save(figure: plt.Figure, name: str) -> None:
    """As PNG and as SVG, the latter without dates, so that it changes only with its content."""
    figure.savefig(HERE / f"{name}.png", dpi=150)
    figure.savefig(HERE / f"{name}.svg", metadata={"Date": None})


def speed_against_quality(figures: dict[str, float], cpu: str) -> None:
    """One point for each resampler: right is faster, up is cleaner."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for peer in peers():
        nanoseconds = figures[f"{peer.name}_mono_10ms_{PAIR}_ns_per_frame"]
        worst = figures[f"{peer.name}_{PAIR}_worst_db"]
        ours = peer.name.startswith("ours_")
        axes.plot(1e3 / nanoseconds, -worst, "o", color=OURS if ours else PEERS, markersize=9 if ours else 6)
        axes.annotate(
            peer.name.removeprefix("ours_") if ours else peer.name.replace("_", " "),
            (1e3 / nanoseconds, -worst),
            xytext=(6, 4),
            textcoords="offset points",
            fontsize=9,
            color=OURS if ours else "#555555",
            weight="bold" if ours else "normal",
        )
    axes.set_xscale("log")
    axes.set_xlabel("million output frames a second (mono, 10 ms blocks, called from Python)")
    axes.set_ylabel("worst image, alias or THD+N below the tone, dB")
    axes.set_title(f"44.1 to 48 kHz, streaming; green is sottovoce ({cpu})", fontsize=10)
    axes.grid(alpha=0.3, which="both")
    save(figure, "resampler-speed-quality")


def passbands() -> None:
    """Gain near the band's edge, from the response to a single frame."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for peer in peers():
        if peer.name not in {"ours_fast", "ours_standard", "ours_hq", "ours_best", "soxr_hq", "soxr_vhq"}:
            continue
        x = np.zeros(8820, np.float32)
        x[4410] = 1.0
        y = run(peer.make, RATES, x, [441]).astype(np.float64)
        gain = np.abs(np.fft.rfft(y, 1 << 16)) * RATES[0] / RATES[1]
        relative = np.fft.rfftfreq(1 << 16) * RATES[1] / (RATES[0] / 2)
        axes.plot(
            relative,
            20 * np.log10(np.maximum(gain, 1e-9)),
            label=peer.name.replace("ours_", "").replace("_", " "),
            linestyle="-" if peer.name.startswith("ours_") else "--",
        )
    axes.set_xlim(0.75, 1.05)
    axes.set_ylim(-6, 0.5)
    axes.set_xlabel("frequency, of the input's Nyquist frequency")
    axes.set_ylabel("gain, dB")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, "resampler-passband")


def main() -> None:
    """Draw both."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    result = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sottovoce"
    speed_against_quality(result["figures"], result["machine"]["cpu"])
    passbands()


if __name__ == "__main__":
    main()
