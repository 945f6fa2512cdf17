"""Sessions of real people, spliced: who is enrolled is never answered, and who is not always is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile

from sottovoce.assistant import notices
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.segmenter import Segmenter
from sottovoce.speech.speaker import NotEnrolled, SpeakerVerifier
from sottovoce.speech.vad import open_vad
from sottovoce.speech.wearer.enrolment import examine, make_profile
from sottovoce.speech.wearer.verifier import WearerVerifier
from tests.support.fakes import ListGenerator, Notebook, SteppedOutput, ToneSynthesizer
from tests.support.shared import manifest, shared_data

RATE = 16_000
#: Wearer and other: every speaker once as each.
PAIRS = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
ENROLLED = 4
#: Between two who speak (s): enough to end a segment.
GAP_S = 1.0


class Deaf:
    """Takes every segment for a question."""

    name, samplerate = "deaf", RATE

    def warm(self) -> None: ...

    def adapt(self, phrases: Sequence[str]) -> None: ...

    def close(self) -> None: ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        return Transcript("question", "en", 1.0, self.name)


class Tape:
    """Plays what it is given, as fast as it is wanted."""

    samplerate, realtime = RATE, False

    def __init__(self, audio: Mono) -> None:
        self._blocks: Iterator[Mono] = iter(np.array_split(audio, max(1, len(audio) // 16_000)))

    def read(self) -> Mono | None:
        return next(self._blocks, None)

    def close(self) -> None:
        self._blocks = iter(())


def recordings() -> dict[str, list[Mono]]:
    """Sentences of each speaker; the shortest are left out, so that a session has as many as it can in its time."""
    found: dict[str, list[Mono]] = {}
    for row in manifest("libri_test_other"):
        audio, _ = soundfile.read(shared_data() / "speech" / row["file"], dtype="float32")
        found.setdefault(row["speaker"], []).append(audio)
    return found


def splice(own: Sequence[Mono], other: Sequence[Mono]) -> tuple[Mono, list[tuple[float, float, str]]]:
    """Both in turn, with gaps; and who speaks from when to when (s)."""
    noise = np.random.default_rng(2)
    parts, spans, at = [], [], 0
    for mine, theirs in zip(own, other, strict=True):
        for who, audio in (("own", mine), ("other", theirs)):
            spans.append((at / RATE, (at + len(audio)) / RATE, who))
            gap = (1e-4 * noise.standard_normal(round(GAP_S * RATE))).astype(np.float32)
            parts += [audio, gap]
            at += len(audio) + len(gap)
    return np.concatenate(parts), spans


def hold(audio: Mono, verifier: SpeakerVerifier) -> list[tuple[float, str, bool]]:
    """Run a session; where each segment lies, whose it was found to be, and whether it raised theses."""
    seen = Notebook()
    segmenter = Segmenter(open_vad("auto"))
    generator = ListGenerator({"question": ["thesis"]})
    parts = Parts(Tape(audio), segmenter, verifier, [Deaf()], generator, ToneSynthesizer(), SteppedOutput())
    pipeline = Pipeline(parts, PipelineSettings(lossless=True, pause_s=0.0), seen)
    pipeline.start()
    assert pipeline.wait(60.0)
    assert pipeline.close(5.0) == ()
    heard: list[notices.UtteranceHeard] = seen.of(notices.UtteranceHeard)  # type: ignore[assignment]
    return [
        ((each.utterance.start_s + each.utterance.end_s) / 2.0, each.utterance.speaker, not each.ignored)
        for each in heard
    ]


def count(outcomes: Sequence[tuple[float, str, bool]], spans: Sequence[tuple[float, float, str]]) -> dict[str, int]:
    """Segments by who truly spoke and what became of them."""
    counts: dict[str, int] = {}
    for middle_s, verdict, answered in outcomes:
        who = next((who for start, end, who in spans if start - 0.5 <= middle_s <= end + 0.5), "nobody")
        for key in (f"{who}, {'answered' if answered else 'not answered'}", f"{who} called {verdict}"):
            counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.data
def test_wearer_is_never_answered_and_others_always_are(capsys: pytest.CaptureFixture[str]) -> None:
    speakers = list(recordings().values())
    total: dict[str, int] = {}
    for wearer, other in PAIRS:
        embedder = BuiltinEmbedder()
        enrolled = examine(np.concatenate(speakers[wearer][:ENROLLED]))
        profile = make_profile("default", enrolled, [embedder], datetime.now(UTC))
        audio, spans = splice(speakers[wearer][ENROLLED : ENROLLED + 3], speakers[other][ENROLLED : ENROLLED + 3])
        for key, number in count(hold(audio, WearerVerifier(profile, embedder)), spans).items():
            total[key] = total.get(key, 0) + number
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(f"{key}: {number}" for key, number in sorted(total.items())) + "\n")
    assert total.get("own, answered", 0) == 0
    assert total.get("other, not answered", 0) == 0
    assert total["own, not answered"] >= 15
    assert total["other, answered"] >= 15


@pytest.mark.data
def test_without_a_profile_the_wearer_is_answered_too() -> None:
    speakers = list(recordings().values())
    audio, spans = splice(speakers[0][4:5], speakers[1][4:5])
    assert count(hold(audio, NotEnrolled()), spans)["own, answered"] >= 1
