"""The resampler's C code, compiled for this machine and for aarch64 (run by qemu), gives the same bits."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rules.sources import NATIVE

FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", f"-I{NATIVE}"]
PER_FILE = {
    "kernels_avx2": ["-mavx2", "-mfma"],
    "polyphase_avx2": ["-mavx2", "-mfma"],
    "kernels_avx512": ["-mavx2", "-mfma", "-mavx512f"],
    "polyphase_avx512": ["-mavx2", "-mfma", "-mavx512f"],
}


def build(compiler: str, folder: Path, *, x86: bool) -> Path:
    """The digest program."""
    objects = []
    sources = [*sorted((NATIVE / "kernels").glob("*.c")), Path(__file__).with_name("polyphase_digest.c")]
    for source in sources:
        target = folder / f"{source.stem}.o"
        extra = PER_FILE.get(source.stem, []) if x86 else []
        subprocess.run([compiler, *FLAGS, *extra, "-c", str(source), "-o", str(target)], check=True)
        objects.append(str(target))
    program = folder / "digest"
    subprocess.run([compiler, "-static", *objects, "-lm", "-o", str(program)], check=True)
    return program


def digest(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="compares x86-64 with aarch64, from an x86-64 machine")
def test_neon_gives_the_bits_of_avx(tmp_path: Path) -> None:
    needed = ("gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64")
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not found; apt-get install gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
        )
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    own = digest([str(build("gcc", here, x86=True))])
    assert digest(["qemu-aarch64", str(build("aarch64-linux-gnu-gcc", there, x86=False))]) == own
