"""ThreadSanitizer watches writers, flushes, commands and readers of figures race the callbacks.

The native modules are built anew, with the sanitizer; the rest of Python is not, but its locks are known. The
callbacks run in plain threads and take none of those locks: all that orders them are the native core's own atomics.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.native.test_hot_path import NATIVE, cython_flags, generate
from tests.realtime.proofs.building import HERE, build, compiler

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODULES = (
    "activity", "buffers", "callback", "channels", "gain", "mixer", "mixer_core", "rate_converter", "resample", "ring",
    "source", "source_core", "stream_core", "telemetry",
)  # fmt: skip
CALLBACK_SIDE = ("mixer_core", "source_core")
#: As in CMakeLists.txt: an object file for each instruction set.
INSTRUCTIONS = {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx2", "-mfma", "-mavx512f"]}

#: Takes the order away that one thread's stores have for another.
RELAXED = ["-D__ATOMIC_ACQUIRE=__ATOMIC_RELAXED", "-D__ATOMIC_RELEASE=__ATOMIC_RELAXED", "-Wno-builtin-macro-redefined"]

RACE = "WARNING: ThreadSanitizer: data race"


class Sanitized:
    """A package of native modules built with ThreadSanitizer."""

    def __init__(self, folder: Path, generated: Path) -> None:
        self.folder = folder
        self.generated = generated
        self.flags = ["-fPIC", "-g", "-O1", "-fsanitize=thread", f"-I{NATIVE}"]

    def build(self, names: tuple[str, ...], extra: list[str]) -> None:
        """Compile modules from the C that Cython made of them."""
        package = self.folder / "sottovoce" / "native"
        package.mkdir(parents=True, exist_ok=True)
        for init in (package / "__init__.py", package.parent / "__init__.py"):
            init.touch()
        kernels = build_kernels(self.generated)
        include = f"-I{sysconfig.get_path('include')}"

        def compile_one(name: str) -> None:
            out = ["-o", str(package / f"{name}.so")]
            source = str(self.generated / f"{name}.c")
            build([compiler(), "-shared", *self.flags, *extra, include, source, *kernels, *out, "-lm"], name)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, names))

    def run(self, seconds: float) -> subprocess.CompletedProcess[str]:
        """Let everybody race."""
        library = self.folder / "render.so"
        callers = [str(HERE / "render.c"), "-o", str(library), "-lpthread"]
        build([compiler(), "-shared", *self.flags, *callers], "the callers")
        runtime = subprocess.run(
            [compiler(), "-print-file-name=libtsan.so"], capture_output=True, text=True, check=True
        )
        numpy_folder = Path(np.__file__).parents[1]
        environ = {
            **os.environ,
            "LD_PRELOAD": runtime.stdout.strip(),
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(numpy_folder)]),
            "TSAN_OPTIONS": "report_signal_unsafe=0:exitcode=66",
            "OPENBLAS_NUM_THREADS": "1",
        }
        # a sanitizer has its own idea of where memory lies; without `site`, an editable install does not come first
        command = [*no_random_addresses(), sys.executable, "-S", str(HERE / "race.py"), str(library), str(seconds)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def build_kernels(folder: Path) -> list[str]:
    """The kernels' object files, without the sanitizer: they see only memory that their caller has been given."""
    objects = []
    for source in sorted((NATIVE / "kernels").glob("*.c")):
        flags = INSTRUCTIONS.get(source.stem.rpartition("_")[2], [])
        if flags and platform.machine() not in ("x86_64", "AMD64"):
            continue
        objects.append(str(folder / f"{source.stem}.o"))
        command = [compiler(), "-c", "-fPIC", "-O1", *flags, f"-I{NATIVE}", str(source), "-o", objects[-1]]
        build(command, source.name)
    return objects


def no_random_addresses() -> list[str]:
    """The command that runs another without address randomisation, where it is allowed."""
    setarch = shutil.which("setarch")
    if setarch and subprocess.run([setarch, "-R", "true"], capture_output=True, check=False).returncode == 0:
        return [setarch, "-R"]
    return []


def require_thread_sanitizer(folder: Path) -> None:
    source = folder / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    command = [compiler(), "-fsanitize=thread", str(source), "-o", str(folder / "empty")]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no ThreadSanitizer: apt-get install gcc (its libtsan comes with it)")
    ran = subprocess.run([*no_random_addresses(), folder / "empty"], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        pytest.skip(f"ThreadSanitizer does not run here: {ran.stderr.strip().splitlines()[0]}")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Sanitized:
    folder = tmp_path_factory.mktemp("sanitized")
    require_thread_sanitizer(folder)
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        pytest.skip("no Python.h to build native modules with: apt-get install python3-dev")
    generated = folder / "generated"
    mirror = generated / "sottovoce" / "native"
    mirror.mkdir(parents=True)
    for init in (mirror / "__init__.pxd", mirror.parent / "__init__.pxd"):
        init.touch()
    for pxd in NATIVE.glob("*.pxd"):
        (mirror / pxd.name).write_bytes(pxd.read_bytes())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda name: generate(generated, NATIVE / f"{name}.pyx", cython_flags(), generated), MODULES))
    package = Sanitized(folder / "ours", generated)
    package.build(MODULES, [])
    return package


def test_no_race_between_callbacks_and_the_rest(sanitized: Sanitized) -> None:
    done = sanitized.run(5.0)
    assert done.returncode == 0, done.stderr
    happened = json.loads(done.stdout)
    assert happened["file"].startswith(str(sanitized.folder)), "the modules with the sanitizer are the ones that ran"
    names = ("played", "captured", "flushes", "moved", "consumed", "read", "spoken", "yielded", "marks")
    assert all(happened[name] > 0 for name in names), happened


def test_callbacks_without_memory_order_are_reported(sanitized: Sanitized, tmp_path: Path) -> None:
    shutil.copytree(sanitized.folder / "sottovoce", tmp_path / "sottovoce")
    relaxed = Sanitized(tmp_path, sanitized.generated)
    relaxed.build(CALLBACK_SIDE, RELAXED)
    done = relaxed.run(2.0)
    assert RACE in done.stderr, done.stderr
    assert "source_render" in done.stderr or "mixer_render" in done.stderr
