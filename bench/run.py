"""Run one benchmark case, show its figures beside their targets, and keep them as JSON with the machine named.

    python bench/run.py CASE [--quick] [--json FILE]
    python bench/run.py --list

A case is a module of ``bench/cases`` whose docstring says what is measured, with

    def run(quick: bool) -> dict[str, float]
    TARGETS: dict[str, tuple[str, float]]      # optional: {"speedup_min": (">=", 4)}
    OPTIONAL: frozenset[str]                   # optional: figures that not every machine can give

Cases measure peers interleaved in one run and give ratios, because the machines they run on are shared and noisy.
A target that is missed is shown, and is no failure: whether a figure is good is for a person to judge, on a quiet
machine.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import keyword
import math
import operator
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "bench" / "cases"
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def case_files() -> dict[str, Path]:
    """Name of every case -> its file; a name that is a Python keyword has an underscore behind it in the file's."""
    names = {path.stem: path for path in sorted(CASES.glob("*.py")) if path.stem != "__init__"}
    return {
        stem.removesuffix("_") if keyword.iskeyword(stem.removesuffix("_")) else stem: p for stem, p in names.items()
    }


def first_line(path: Path) -> str:
    """The first line of a module's docstring, read without importing it."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def cpu_name() -> str:
    """Name of the processor as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    cores = os.cpu_count() or 1
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    return cores


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "sottovoce": metadata.version("sottovoce"),
    }


def checked(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures as plain finite numbers; ValueError names one that is not."""
    for name, value in figures.items():
        if not math.isfinite(value):
            raise ValueError(f"figure {name} is {value}; a case gives finite numbers only")
    return {name: value if isinstance(value, int) else float(value) for name, value in figures.items()}


def verdict(value: float, target: tuple[str, float] | None) -> str:
    """A target and whether ``value`` meets it, in words; empty without a target."""
    if target is None:
        return ""
    sign, bound = target
    return f"{sign} {bound:g}  {'met' if COMPARE[sign](value, bound) else 'NOT MET'}"


def show(
    figures: Mapping[str, float],
    targets: Mapping[str, tuple[str, float]],
    out: TextIO,
    optional: frozenset[str] = frozenset(),
) -> None:
    """Print the figures as a table; ValueError if a target is for a figure that there is not, nor may be missing."""
    unknown = set(targets) - set(figures) - optional
    if unknown:
        raise ValueError(f"targets for figures that the case does not give: {', '.join(sorted(unknown))}")
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:>12.4g}  {verdict(value, targets.get(name))}".rstrip(), file=out)
    for name in sorted(set(targets) & optional - set(figures)):
        print(f"{name:<{width}}  not measured here", file=out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a case; 0 if it ran, 2 if there is no such case."""
    parser = argparse.ArgumentParser(prog="bench/run.py", description="Run one benchmark case.")
    parser.add_argument("case", nargs="?", help="name of a case")
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: figures are rougher")
    parser.add_argument("--json", metavar="FILE", help="write the result to FILE, or to standard output if it is -")
    given = parser.parse_args(arguments)
    files = case_files()
    if given.list:
        width = max(map(len, files), default=0)
        for name, path in files.items():
            print(f"{name:<{width}}  {first_line(path)}")
        return 0
    if given.case not in files:
        named = "no case given" if given.case is None else f"no case named {given.case!r}"
        print(f"{named}; there are: {', '.join(files)}", file=sys.stderr)
        return 2
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # cases import the NumPy reference as bench.<module>
    module = importlib.import_module(f"bench.cases.{files[given.case].stem}")
    table = sys.stderr if given.json == "-" else sys.stdout
    print(f"{given.case}{' (quick)' if given.quick else ''}: {first_line(files[given.case])}", file=table, flush=True)
    figures = checked(module.run(given.quick))
    show(figures, getattr(module, "TARGETS", {}), table, getattr(module, "OPTIONAL", frozenset()))
    result = json.dumps({"case": given.case, "machine": machine(), "figures": figures}, indent=2)
    if given.json == "-":
        print(result)
    elif given.json:
        Path(given.json).parent.mkdir(parents=True, exist_ok=True)
        Path(given.json).write_text(result + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
