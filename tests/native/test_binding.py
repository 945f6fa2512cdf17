"""No callback calls the dynamic linker: what the compiled modules take from elsewhere is bound when they are loaded."""

from __future__ import annotations

import importlib.util
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sottovoce.native

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="ELF is read; other systems bind at once by default"),
    pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is missing: apt-get install binutils"),
]

LAZY = "#include <string.h>\nvoid *callback(void *out, const void *x, size_t n) { return memcpy(out, x, n); }\n"


def binds_lazily(library: Path) -> bool:
    """Whether some function is looked for at its first call."""
    done = subprocess.run(["readelf", "--dynamic", "--wide", library], capture_output=True, text=True, check=True)
    return "(JMPREL)" in done.stdout and "NOW" not in done.stdout


def test_nothing_is_left_to_be_bound_in_a_callback() -> None:
    names = [module.name for module in pkgutil.iter_modules(sottovoce.native.__path__)]
    assert "callback" in names
    for name in names:
        spec = importlib.util.find_spec(f"sottovoce.native.{name}")
        assert spec is not None
        assert spec.origin is not None
        assert not binds_lazily(Path(spec.origin)), f"{name}: its first block would call the dynamic linker"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc makes what is to be found out")
def test_control_that_binds_lazily_is_found_out(tmp_path: Path) -> None:
    source, library = tmp_path / "lazy.c", tmp_path / "lazy.so"
    source.write_text(LAZY)
    build = ["gcc", "-O0", "-fno-builtin", "-fPIC", "-shared", "-Wl,-z,lazy", "-o", library, source]
    subprocess.run(build, check=True, capture_output=True)
    assert binds_lazily(library)
