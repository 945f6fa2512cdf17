"""The callbacks, and all that they call, cannot reach Python, memory allocation or a lock: read off the generated C.

``noexcept nogil`` alone does not keep Python out: Cython takes the GIL inside such a function to raise an error, as the
control here shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("Cython", reason="Cython generates the C that is read here: pip install 'sottovoce[test]'")

pytestmark = pytest.mark.slow  # every module is compiled to C once more

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "src" / "native"

CALLBACKS = ("playback_callback", "capture_callback", "finished_callback")

# What the callbacks may not contain, as written in C; pthread_self is no more than the reading of a register.
FORBIDDEN = re.compile(
    r"\b(_?Py[A-Z_]\w*|__Pyx_\w+|[cm]alloc|realloc|free|\w*alloc|\w*printf|puts|abort|assert|longjmp"
    r"|pthread_(?!self\b)\w+|sem_\w+|(?:clock_nano|nano|u)?sleep|open|close|read|write|ioctl)\b"
)
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
DEFINITION = re.compile(r"^(?:static |inline |CYTHON_\w+ )*[\w *]+?\b(\w+)\([^;{}]*\) *\{$", re.MULTILINE)
NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', re.DOTALL)


@dataclass
class Reached:
    """The functions that can be reached, and what is forbidden in them."""

    functions: set[str] = field(default_factory=set)
    forbidden: set[tuple[str, str]] = field(default_factory=set)


def functions_of(code: str) -> dict[str, str]:
    """Name -> body of every function defined in some C."""
    code = NO_CODE.sub(" ", code)
    found = {}
    for definition in DEFINITION.finditer(code):
        end = code.index("\n}", definition.end())
        found[definition[1]] = code[definition.end() : end]
    return found


def reach(functions: dict[str, str], roots: list[str]) -> Reached:
    """Follow calls from the roots as far as functions are known."""
    reached = Reached()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in reached.functions:
            continue
        reached.functions.add(name)
        body = functions[name]
        reached.forbidden.update((name, word) for word in FORBIDDEN.findall(body))
        waiting.extend(called for called in CALL.findall(body) if called in functions)
    return reached


def cython_flags() -> list[str]:
    """The flags that the build uses, from CMakeLists.txt."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = re.search(r"set\(CYTHON_FLAGS([^)]*)\)", text)
    assert listed is not None
    return listed[1].split()


def generate(folder: Path, source: Path, flags: list[str], include: Path) -> str:
    """The C that Cython makes of a source."""
    output = folder / f"{source.stem}.c"
    module = ["--module-name", f"sottovoce.native.{source.stem}"]
    command = [sys.executable, "-m", "cython", *flags, *module, "-I", str(include), str(source), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every function of the native core: those of Cython, of the headers and of the kernels."""
    folder = tmp_path_factory.mktemp("generated")
    package = folder / "sottovoce" / "native"
    package.mkdir(parents=True)
    for init in (package / "__init__.pxd", package.parent / "__init__.pxd"):
        init.touch()
    for pxd in NATIVE.glob("*.pxd"):
        (package / pxd.name).write_bytes(pxd.read_bytes())
    functions: dict[str, str] = {}
    for source in [*NATIVE.glob("*.h"), *NATIVE.glob("kernels/*.[ch]")]:
        functions |= functions_of(source.read_text(encoding="utf-8"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a process of its own
        sources = sorted(NATIVE.glob("*.pyx"))
        for code in pool.map(lambda source: generate(folder, source, cython_flags(), folder), sources):
            functions |= functions_of(code)
    return functions


def full_name(functions: dict[str, str], name: str) -> str:
    """The name that Cython gave to a function of one of the modules."""
    (found,) = [full for full in functions if full.startswith("__pyx_f_") and full.endswith(f"_{name}")]
    return found


def test_callbacks_reach_nothing_that_is_forbidden(generated: dict[str, str]) -> None:
    reached = reach(generated, [full_name(generated, name) for name in CALLBACKS])
    assert reached.forbidden == set()


def test_search_follows_calls_through_all_parts(generated: dict[str, str]) -> None:
    reached = reach(generated, [full_name(generated, name) for name in CALLBACKS])
    kernels = {"add", "add_scaled", "scale", "ramp", "scrub", "linear", "mono_to_stereo", "stereo_to_mono"}
    assert kernels <= reached.functions  # called through a table, by these names
    parts = (
        "mixer_render",
        "source_render",
        "source_add",
        "linear_process",
        "converter_feed",
        "converter_end",
        "gain_apply",
        "channels_mix",
    )
    assert {full_name(generated, part) for part in parts} <= reached.functions
    assert {"sv_polyphase_process", "sv_polyphase_flush", "sv_polyphase_reset"} <= reached.functions
    assert {
        "sv_ring_write",
        "sv_ring_ready",
        "sv_commands_pop",
        "sv_histogram_record",
        "sv_meter_note",
        "sv_detector_hear",
        "sv_position_write",
        "sv_results_push",
        "sv_activity_lasts",
        "measure",
    } <= reached.functions


def test_search_finds_python_where_it_is(generated: dict[str, str]) -> None:
    reached = reach(generated, [full_name(generated, "ring_new")])
    assert {word for _, word in reached.forbidden} & {"PyErr_SetNone", "__Pyx_Raise", "__Pyx_AddTraceback"}


CONTROL = """
cdef double share(double[:] x, int n) noexcept nogil:
    return x[n] / n
"""


@pytest.mark.parametrize(("checked", "flags"), [(True, ["-3"]), (False, None)])
def test_gil_taken_inside_nogil_is_found(tmp_path: Path, checked: bool, flags: list[str] | None) -> None:
    source = tmp_path / "control.pyx"
    source.write_text(CONTROL, encoding="utf-8")
    functions = functions_of(generate(tmp_path, source, flags or cython_flags(), tmp_path))
    reached = reach(functions, [full_name(functions, "share")])
    assert any("GIL" in word for _, word in reached.forbidden) is checked


def test_kernels_and_headers_know_nothing_of_python() -> None:
    sources = [*NATIVE.glob("*.h"), *NATIVE.glob("kernels/*.[ch]")]
    assert len(sources) >= 8
    found = [source.name for source in sources if "Python.h" in NO_CODE.sub("", source.read_text("utf-8"))]
    assert found == ["arrays.h"], "the only one: it takes arrays from whoever is not a callback"
