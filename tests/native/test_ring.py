from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sottovoce.native.ring import Ring
from tests.native.arrays import Float, noise

ROOT = Path(__file__).resolve().parents[2]


class RingMachine(RuleBasedStateMachine):
    """A ring behaves as a list of frames of limited length."""

    @initialize(capacity=st.integers(1, 20), channels=st.integers(1, 3))
    def make(self, capacity: int, channels: int) -> None:
        self.ring = Ring(capacity, channels)
        self.model: list[list[float]] = []
        self.next = 0
        self.read_total = 0

    @rule(frames=st.integers(0, 40))
    def write(self, frames: int) -> None:
        samples = np.arange(self.next, self.next + frames * self.ring.channels)
        x = samples.astype(np.float32).reshape(frames, self.ring.channels)
        written = self.ring.write(x)
        assert written == min(frames, self.ring.capacity_frames - len(self.model))
        self.model.extend(x[:written].tolist())
        self.next += frames * self.ring.channels

    @rule(frames=st.integers(0, 40))
    def read(self, frames: int) -> None:
        out = np.full((frames, self.ring.channels), np.nan, np.float32)
        got = self.ring.read_into(out)
        assert got == min(frames, len(self.model))
        assert out[:got].tolist() == self.model[:got]
        assert np.isnan(out[got:]).all()
        del self.model[:got]
        self.read_total += got

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "ring"):
            assert self.ring.readable_frames == len(self.model)
            assert self.ring.writable_frames == self.ring.capacity_frames - len(self.model)
            assert self.ring.read_frames == self.read_total
            assert self.ring.written_frames == self.read_total + len(self.model)


TestRingMachine = RingMachine.TestCase
TestRingMachine.settings = settings(max_examples=100, deadline=None)


def test_capacity_is_rounded_up_to_a_power_of_two() -> None:
    assert [Ring(frames, 1).capacity_frames for frames in (1, 2, 3, 1000, 1024, 1025)] == [2, 2, 4, 1024, 1024, 2048]


def test_two_threads_pass_every_frame_in_order() -> None:
    ring = Ring(4096, 2)
    sent = noise(100_000, 2)
    received: list[Float] = []

    def consume() -> None:
        total = 0
        while total < len(sent):
            out = np.empty((997, 2), np.float32)
            got = ring.read_into(out)
            received.append(out[:got])
            total += got

    reader = threading.Thread(target=consume, name="reader")
    reader.start()
    position = 0
    while position < len(sent):
        position += ring.write(sent[position : position + 611])
    reader.join(timeout=60)
    assert not reader.is_alive()
    np.testing.assert_array_equal(np.concatenate(received), sent)


@pytest.mark.parametrize(
    ("capacity_frames", "channels", "words"),
    [
        (0, 1, "capacity_frames is 0; it must be a whole number, 1.."),
        (1.5, 1, "capacity_frames is 1.5"),
        (1 << 40, 2, "capacity_frames is 1099511627776; .* for 2 channels"),
        (16, 0, "channels is 0; it must be a whole number, 1..64"),
        (16, 65, "channels is 65"),
    ],
)
def test_arguments_out_of_range_are_refused(capacity_frames: int, channels: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Ring(capacity_frames, channels)


def test_wrong_arrays_are_refused() -> None:
    ring = Ring(16, 2)
    with pytest.raises(ValueError, match=r"x has shape \(4, 1\); it must be \(frames, 2\)"):
        ring.write(np.zeros((4, 1), np.float32))
    with pytest.raises(TypeError, match="x has dtype float64"):
        ring.write(np.zeros((4, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x has strides"):
        ring.write(np.zeros((4, 4), np.float32)[:, ::2])
    out = np.zeros((4, 2), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        ring.read_into(out)


# One thread writes numbers in order, one reads them; RELAXED takes away the order that the ring needs.
THREADS = """
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#ifdef RELAXED
#define __ATOMIC_ACQUIRE __ATOMIC_RELAXED
#define __ATOMIC_RELEASE __ATOMIC_RELAXED
#endif
#include "ring.h"
enum { FRAMES = 200000 };
static sv_ring ring;
static float data[64];
static void *write_all(void *unused) {
    for (uint64_t sent = 0; sent < FRAMES;) {
        const float next = (float)(sent % 1000);
        sent += sv_ring_write(&ring, &next, 1);
    }
    return unused;
}
int main(void) {
    pthread_t writer;
    uint64_t wrong = 0;
    sv_ring_init(&ring, data, 64, 1);
    pthread_create(&writer, 0, write_all, 0);
    for (uint64_t got = 0; got < FRAMES;) {
        float next;
        if (!sv_ring_read(&ring, &next, 1)) continue;
        wrong += next != (float)(got++ % 1000);
    }
    pthread_join(writer, 0);
    printf("%d wrong\\n", (int)wrong);
    return wrong != 0;
}
"""


def under_thread_sanitizer(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler: install gcc or clang to run the ring under ThreadSanitizer")
    source, program = folder / "threads.c", folder / "threads"
    source.write_text(THREADS, encoding="utf-8")
    command = [compiler, "-g", "-O1", "-fsanitize=thread", *flags, f"-I{ROOT / 'src' / 'native'}", str(source)]
    built = subprocess.run([*command, "-o", str(program), "-lpthread"], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.skip(f"the compiler has no ThreadSanitizer: {built.stderr.strip().splitlines()[-1]}")
    result = subprocess.run([program], capture_output=True, text=True, check=False)
    if "FATAL: ThreadSanitizer" in result.stderr:
        pytest.skip(f"ThreadSanitizer does not run here: {result.stderr.strip().splitlines()[0]}")
    return result


@pytest.mark.slow
def test_thread_sanitizer_finds_no_race_in_the_ring(tmp_path: Path) -> None:
    result = under_thread_sanitizer(tmp_path)
    assert result.returncode == 0, result.stderr
    assert "0 wrong" in result.stdout


@pytest.mark.slow
def test_thread_sanitizer_reports_a_ring_without_order(tmp_path: Path) -> None:
    result = under_thread_sanitizer(tmp_path, "-DRELAXED", "-Wno-builtin-macro-redefined")
    assert "WARNING: ThreadSanitizer: data race" in result.stderr
