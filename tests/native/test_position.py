"""Where a source is heard to be, and marks in what it plays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sottovoce.native.callback import PlaybackCallback
from sottovoce.native.mixer import Mixer, Source
from tests.native.arrays import noise, render
from tests.native.portaudio import TimeInfo, play
from tests.native.test_hot_path import NATIVE
from tests.native.test_mixer import NEVER_S, RATE, playing

LONG_S = 3600.0


class Position(ctypes.Structure):
    """``sv_position``."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("generation", "from_content_ns", "from_ns", "to_content_ns", "to_ns", "delay_ns")
    )


SHARED = """
#include "position.h"
uint64_t heard(const sv_position *at, uint64_t now, uint64_t latency) {
    return sv_position_heard(at, now, latency);
}
"""

# Positions whose figures all are the same are written and read: between any two steps of a write somebody reads, and
# between any two of a read somebody writes. Does anybody see one whose figures are not the same?
TORN = """
#include <stdio.h>
#include "atomics.h"
static void between(void);
static void stored(uint64_t *p, uint64_t value) { sv_store_release(p, value); between(); }
static uint64_t loaded(const uint64_t *p) { const uint64_t value = sv_load_acquire(p); between(); return value; }
#define sv_store_release stored
#define sv_load_acquire loaded
#include "position.h"
static sv_position_lock lock;
static int inside, steps, write_at, torn, seen;
static uint64_t newest;
static void write_one(void) {
    const uint64_t i = ++newest;
    const sv_position at = {i, i, i, i, i, i};
    sv_position_write(&lock, &at);
}
static void read_one(void) {
    sv_position at;
    if (!READ(&lock, &at)) return;
    seen++;
    torn |= at.from_content_ns != at.generation || at.from_ns != at.generation || at.delay_ns != at.generation ||
            at.to_content_ns != at.generation || at.to_ns != at.generation;
}
static void between(void) {
    if (inside) return;
    inside = 1;
    if (write_at < 0) read_one();
    else if (steps++ == write_at) write_one();
    inside = 0;
}
int main(void) {
    write_at = -1;
    write_one();
    for (write_at = 0; write_at < 8; write_at++) {
        steps = 0;
        read_one();
    }
    printf("%d %d", torn, seen > 0);
    return 0;
}
"""
CARELESS = "(sv_position_read(lock, at), 1)"


def compile_c(folder: Path, code: str, *flags: str) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler with pthreads: install gcc or clang")
    source, out = folder / "position.c", folder / "position.out"
    source.write_text(code, encoding="utf-8")
    command = [compiler, *flags, "-O2", f"-I{NATIVE}", str(source), "-o", str(out), "-lpthread", "-lm"]
    subprocess.run(command, check=True)
    return out


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = ctypes.CDLL(str(compile_c(tmp_path_factory.mktemp("position"), SHARED, "-shared", "-fPIC")))
    library.heard.restype = ctypes.c_uint64
    library.heard.argtypes = [ctypes.POINTER(Position), ctypes.c_uint64, ctypes.c_uint64]
    return library


def test_position_goes_on_between_blocks_and_waits_for_the_latency(heard: ctypes.CDLL) -> None:
    at = Position(1, 1_000_000_000, 10_000_000_000, 1_100_000_000, 10_100_000_000, 0)

    def heard_s(now_s: float, latency_s: float = 0.0) -> float:
        return float(heard.heard(at, round(now_s * 1e9), round(latency_s * 1e9)) / 1e9)

    assert heard_s(10.1) == heard_s(11.0) == 1.1
    assert heard_s(10.05) == 1.05
    assert heard_s(10.0) == heard_s(9.0) == 1.0
    assert heard_s(10.15, 0.1) == 1.05
    at.delay_ns = 50_000_000  # what the host says of this block is nearer to the truth
    assert heard_s(10.1, 7.0) == 1.05


@given(st.integers(0, 3_000_000_000), st.integers(0, 3_000_000_000), st.integers(0, 200_000_000))
def test_position_never_goes_back(heard: ctypes.CDLL, first_ns: int, second_ns: int, latency_ns: int) -> None:
    at = Position(0, 77, 10**9, 10**9 + 77, 2 * 10**9, 0)
    early, late = sorted((10**9 + first_ns, 10**9 + second_ns))
    before, after = (heard.heard(at, ns, latency_ns) for ns in (early, late))
    assert 77 <= before <= after <= 10**9 + 77


@pytest.mark.parametrize(("read", "torn"), [("sv_position_read(lock, at)", "0"), (CARELESS, "1")])
def test_position_is_never_torn(tmp_path: Path, read: str, torn: str) -> None:
    done = subprocess.run(
        [compile_c(tmp_path, TORN, f"-DREAD(lock, at)={read}")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [torn, "1"]


def heard_frames(source: Source, latency_s: float = 0.0) -> int:
    return round(source.heard_s(latency_s) * source.samplerate)


def heard_at_last(source: Source) -> int:
    """Frames heard once the block's own time is over."""
    deadline_s = time.monotonic() + 10.0
    while heard_frames(source) != source.played_frames and time.monotonic() < deadline_s:
        time.sleep(0.001)
    return heard_frames(source)


@pytest.mark.parametrize("samplerate", [RATE, 24_000])
def test_what_left_the_mixer_is_heard_after_the_latency(samplerate: int) -> None:
    mixer, source = playing(noise(4000, 2), samplerate=samplerate)
    assert heard_frames(source) == 0
    render(mixer, 1000)
    assert heard_frames(source, LONG_S) == 0
    assert 0 < heard_at_last(source) == source.played_frames


def test_position_begins_anew_with_a_flush_and_stands_in_a_pause() -> None:
    mixer, source = playing(noise(4000, 2))
    render(mixer, 1000)
    source.pause()
    render(mixer, 1000)
    assert heard_at_last(source) == 1240
    render(mixer, 1000)
    assert heard_frames(source) == 1240
    generation = source.flush()
    assert heard_frames(source) == 0, "of the new generation nothing was heard"
    source.resume()
    source.write(noise(500, 2), generation)
    render(mixer, 256)
    assert heard_at_last(source) == source.played_frames > 0


def test_delay_that_the_host_tells_counts() -> None:
    mixer, source = playing(noise(4000, 2))
    callback = PlaybackCallback(mixer, 0)
    play(callback, 1000, times=TimeInfo(0.0, 5.0, 14.0))  # nine seconds
    assert heard_frames(source) == 0
    play(callback, 1000, times=TimeInfo(0.0, 5.0, 5.0))  # nonsense: what the stream reported counts
    assert heard_at_last(source) == 2000


def test_mark_is_passed_when_what_is_before_it_has_left() -> None:
    mixer, source = playing(noise(1000, 2))
    mark = mixer.mark(source)
    source.write(noise(1000, 2), 0)
    later = mixer.mark(source)
    render(mixer, 768)
    assert mixer.take_result(mark) is None
    before_ns = time.monotonic_ns()
    render(mixer, 256)
    result = mixer.take_result(mark)
    assert result is not None
    kind, ns, delay_ns = result
    assert (kind, delay_ns) == ("passed", 0)
    assert before_ns <= ns - round((1000 - 768) / RATE * 1e9) + 2 <= time.monotonic_ns()
    assert mixer.take_result(mark) is None, "told once"
    assert mixer.take_result(later) is None
    render(mixer, 1024)
    assert (mixer.take_result(later) or ("",))[0] == "passed"


def test_mark_of_what_was_flushed_says_so() -> None:
    mixer, source = playing(noise(4000, 2))
    render(mixer, 256)
    marks = [mixer.mark(source), mixer.mark(source)]
    generation = source.flush()
    source.write(noise(100, 2), generation)
    new = mixer.mark(source)
    render(mixer, 1000)
    assert [(mixer.take_result(mark) or ("",))[0] for mark in marks] == ["flushed", "flushed"]
    assert (mixer.take_result(new) or ("",))[0] == "passed"


def test_mark_of_a_source_that_leaves_is_flushed() -> None:
    mixer, source = playing(noise(4000, 2))
    render(mixer, 256)
    mark = mixer.mark(source)
    mixer.remove_source(source)
    render(mixer, 1000)
    assert (mixer.take_result(mark) or ("",))[0] == "flushed"
    with pytest.raises(RuntimeError, match="was removed"):
        mixer.mark(source)
    with pytest.raises(ValueError, match="another mixer"):
        Mixer(RATE, 1).mark(source)


def test_more_marks_than_a_source_keeps_are_refused() -> None:
    mixer, source = playing(noise(4000, 2))
    marks = [mixer.mark(source) for _ in range(17)]
    render(mixer, 16)
    assert [mixer.take_result(mark) for mark in marks[:16]] == [None] * 16
    assert (mixer.take_result(marks[16]) or ("",))[0] == "refused"
    render(mixer, 4000)
    assert {(mixer.take_result(mark) or ("",))[0] for mark in marks[:16]} == {"passed"}


def test_fence_tells_when_commands_have_taken_effect() -> None:
    mixer, source = playing(noise(4000, 2))
    source.pause()
    fence = mixer.fence()
    assert mixer.take_result(fence) is None
    before_ns = time.monotonic_ns()
    render(mixer, 16)
    result = mixer.take_result(fence)
    assert result is not None
    assert before_ns <= result[1] <= time.monotonic_ns()


def test_results_that_find_no_room_are_counted() -> None:
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    out = np.empty((1, 1), np.float32)
    for _ in range(11):
        for _ in range(100):
            mixer.fence()
        mixer.render_into(out)
    assert mixer.counters()["lost_results"] == 1100 - 1024


@given(st.lists(st.sampled_from(["write", "mark", "flush", "render", "pause", "resume"]), max_size=60))
@settings(deadline=None)
def test_every_mark_is_told(steps: list[str]) -> None:
    mixer = Mixer(RATE, 1, undriven_s=NEVER_S)
    mixer.render_into(np.empty((1, 1), np.float32))
    source = mixer.add_source(RATE, 1, 4096)
    marks: list[tuple[int, int]] = []
    for step in steps:
        if step == "write":
            source.write(noise(300), source.generation)
        elif step == "mark":
            marks.append((mixer.mark(source), source.generation))
        elif step == "render":
            render(mixer, 256)
        else:
            getattr(source, step)()
    source.resume()
    render(mixer, 8192)
    render(mixer, 512)
    told = [(mixer.take_result(mark), generation) for mark, generation in marks]
    assert None not in [result for result, _ in told]
    for result, generation in told:
        assert result is not None
        if generation == source.generation:
            assert result[0] in ("passed", "refused")
