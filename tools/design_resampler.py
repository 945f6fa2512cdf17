"""Design the prototype filters of the polyphase resampler and write them as a C header.

    python tools/design_resampler.py            design every tier, check it, write the header
    python tools/design_resampler.py --check    check the header that is there; exit code 1 if it is not good

A prototype is a function of continuous time, even, on [-T/2, T/2], T in samples of the lower of the two rates:

    h(t) = sum over k of a[k] * cos(2 pi k t / T),    h(+-T/2) = 0

The ends that meet zero make its spectrum fall with the square of the frequency, so that images far away need no care.
The coefficients are those of the least largest weighted error in passband and stopband, found by Lawson's iteration: a
weighted least-squares fit whose weights grow where the error is large. At the same length this rejects 15 to 30 dB more
than a Kaiser window. Only NumPy is needed; all tiers take about two minutes.

To add a tier, add a line to TIERS and run this; docs/resampler.md says the rest.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

HEADER = Path(__file__).resolve().parents[1] / "src" / "native" / "kernels" / "prototypes.h"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tier:
    """What a tier asks of its filter; frequencies in units of the lower Nyquist frequency."""

    name: str
    length: int  # T, in samples of the lower rate
    passband: float
    stopband: float
    deviation_db: float  # the most by which the gain may leave 0 dB in the passband
    rejection_db: float  # the least rejection anywhere in the stopband
    wide: bool  # accumulate in double: float32 sums end near -145 dB


TIERS = (
    Tier("fast", 24, 0.80, 1.20, 0.0075, 96.0, wide=False),
    Tier("standard", 96, 0.90, 1.00, 0.0080, 101.0, wide=False),
    Tier("hq", 164, 0.92, 1.00, 0.0010, 135.0, wide=False),
    Tier("best", 224, 0.93, 1.00, 0.00014, 154.0, wide=True),
)

SPARE_TERMS = 3  # terms beyond the stopband's edge; more gain nothing
GRID_PER_LOBE = 10  # points of the fit in every interval of 1/T
FIT_TO = 3.0  # the fit's highest frequency, in units of the lower rate; beyond it only the envelope falls
ITERATIONS = 250


def spectrum_of_cosines(frequency: Array, length: int, terms: int) -> Array:
    """Fourier transform of every cosine at ``frequency``, in cycles per sample: shape (points, terms)."""
    lobe = length * frequency[:, None]
    k = np.arange(terms)
    return 0.5 * length * (np.sinc(lobe - k) + np.sinc(lobe + k))


def fit(tier: Tier) -> Array:
    """Coefficients of the tier's prototype."""
    terms = int(tier.length * tier.stopband / 2) + 1 + SPARE_TERMS
    density = tier.length * GRID_PER_LOBE
    inside = np.linspace(0.0, tier.passband / 2, int(tier.passband / 2 * density))
    outside = np.linspace(tier.stopband / 2, FIT_TO, int((FIT_TO - tier.stopband / 2) * density))
    deviation = 10 ** (tier.deviation_db / 20) - 1
    rejection = 10 ** (-tier.rejection_db / 20)
    basis = np.vstack(
        [
            spectrum_of_cosines(inside, tier.length, terms) / deviation,
            spectrum_of_cosines(outside, tier.length, terms) / rejection,
        ]
    )
    wanted = np.concatenate([np.full(len(inside), 1.0 / deviation), np.zeros(len(outside))])
    # h(T/2) = sum of (-1)^k a[k] = 0 is kept by taking the last coefficient out of the unknowns.
    sign = (-1.0) ** np.arange(terms)
    free = basis[:, :-1] - np.outer(basis[:, -1], sign[:-1] * sign[-1])
    weight = np.ones(len(wanted))
    least, solution = math.inf, np.zeros(terms - 1)
    for _ in range(ITERATIONS):
        root = np.sqrt(weight)
        trial = np.linalg.lstsq(free * root[:, None], wanted * root, rcond=None)[0]
        error = np.abs(free @ trial - wanted)
        if error.max() < least:
            least, solution = float(error.max()), trial
        weight *= error / error.max() + 1e-3
        weight = np.maximum(weight / weight.sum(), 1e-12 * weight.max())
    return np.append(solution, -sign[-1] * (sign[:-1] @ solution))


def measure(tier: Tier, coefficients: Array) -> tuple[float, float]:
    """Largest deviation in the passband and least rejection in the stopband, in dB, off the grid of the fit."""
    terms = len(coefficients)
    inside = np.linspace(0.0, tier.passband / 2, 20 * tier.length)
    far = tier.stopband / 2 + np.linspace(0.0, 1.0, 60 * tier.length) ** 2 * 20.0
    gain = spectrum_of_cosines(inside, tier.length, terms) @ coefficients
    leak = max(
        float(np.abs(spectrum_of_cosines(part, tier.length, terms) @ coefficients).max())
        for part in np.array_split(far, 32)
    )
    return float(np.abs(20 * np.log10(gain)).max()), -20 * math.log10(leak)


def problems(tier: Tier, coefficients: Array) -> list[str]:
    """In what the coefficients are not what the tier asks for."""
    deviation_db, rejection_db = measure(tier, coefficients)
    found = []
    if deviation_db > tier.deviation_db:
        found.append(f"{tier.name}: deviates by {deviation_db:.5f} dB in the passband; allowed: {tier.deviation_db}")
    if rejection_db < tier.rejection_db:
        found.append(f"{tier.name}: rejects {rejection_db:.2f} dB; asked for: {tier.rejection_db}")
    edge = abs(float(((-1.0) ** np.arange(len(coefficients))) @ coefficients))
    if edge > 1e-12:
        found.append(f"{tier.name}: h(T/2) is {edge:.1e}; it must be 0")
    return found


def render(designs: dict[Tier, Array]) -> str:
    """The header."""
    lines = [
        "/* Written by tools/design_resampler.py, which says what these are; do not edit. */",
        "#ifndef SOTTOVOCE_PROTOTYPES_H",
        "#define SOTTOVOCE_PROTOTYPES_H",
        "",
        "#include <stdint.h>",
        "",
        "typedef struct {",
        "    const char *name;",
        "    uint32_t length;  /* T, in samples of the lower rate */",
        "    int wide;         /* accumulate in double */",
        "    uint32_t terms;",
        "    const double *cosines;",
        "} sv_prototype;",
    ]
    table = ["", "static const sv_prototype sv_prototypes[] = {"]
    for tier, coefficients in designs.items():
        deviation_db, rejection_db = measure(tier, coefficients)
        lines += [
            "",
            f"/* pass {tier.passband:.3f}, stop {tier.stopband:.3f} of the lower Nyquist frequency;"
            f" {rejection_db:.1f} dB, {deviation_db:.5f} dB */",
            f"static const double sv_cosines_{tier.name}[] = {{",
        ]
        texts = [f"{value:.17g}," for value in coefficients]
        lines += ["    " + " ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
        lines.append("};")
        table.append(
            f'    {{"{tier.name}", {tier.length}, {int(tier.wide)}, {len(coefficients)}, sv_cosines_{tier.name}}},'
        )
    return "\n".join([*lines, *table, "};", "", "#endif", ""])


def parse(text: str) -> dict[str, Array]:
    """The coefficients of every tier in a header."""
    found = re.findall(r"sv_cosines_(\w+)\[\] = \{(.*?)\};", text, re.DOTALL)
    return {name: np.array([float(value) for value in body.replace(",", " ").split()]) for name, body in found}


def main() -> int:
    """Design, or check; 0 if every tier is good."""
    parser = argparse.ArgumentParser(description="Design the filters of the resampler.")
    parser.add_argument("--check", action="store_true", help="check the header that is there, write nothing")
    if parser.parse_args().check:
        have = parse(HEADER.read_text(encoding="ascii"))
        designs = {tier: have.get(tier.name, np.zeros(1)) for tier in TIERS}
    else:
        designs = {tier: fit(tier) for tier in TIERS}
    found = [problem for tier, coefficients in designs.items() for problem in problems(tier, coefficients)]
    for tier, coefficients in designs.items():
        deviation_db, rejection_db = measure(tier, coefficients)
        print(f"{tier.name:9} {len(coefficients):4} terms  {deviation_db:.5f} dB  -{rejection_db:.2f} dB")
    for problem in found:
        print(problem, file=sys.stderr)
    if not found and "--check" not in sys.argv:
        HEADER.write_text(render(designs), encoding="ascii")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
