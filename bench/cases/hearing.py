"""How well it hears: whose voice, where speech begins and ends, which words, which notes.

Each part is a module of ``bench/hearing``, whose docstring says which recordings are for tuning and which for testing.
"""

from __future__ import annotations

import importlib
import pkgutil

import bench.hearing

_PARTS = [
    importlib.import_module(f"bench.hearing.{module.name}") for module in pkgutil.iter_modules(bench.hearing.__path__)
]

TARGETS: dict[str, tuple[str, float]] = {name: target for part in _PARTS for name, target in part.TARGETS.items()}
#: Figures of recordings that are not everywhere.
OPTIONAL = frozenset(TARGETS)


def run(quick: bool) -> dict[str, float]:
    """Measure every part, one after the other."""
    return {name: value for part in _PARTS for name, value in part.run(quick).items()}
