"""Sessions of real people, spliced: who is enrolled is never answered, and who is not always is."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile

from sottovoce.assistant import notices
from sottovoce.assistant.messages import Utterance
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.embedding._frontend import speech_steps
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
#: Between two who speak (s): enough to end a segment, and too little for it.
GAP_S, CLOSE_S = 1.0, 0.2


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


def phrase(audio: Mono) -> Mono:
    """A recording up to its quietest moment between the third and the fifth second."""
    _, level_db = speech_steps(audio)
    smooth = np.convolve(level_db, np.ones(9) / 9.0, mode="same")
    found = smooth[300:500]
    return audio[: (300 + int(np.argmin(found))) * RATE // 100] if len(found) else audio


def interrupt(own: Sequence[Mono], other: Sequence[Mono]) -> tuple[Mono, list[tuple[float, float, str]]]:
    """Each falls into the other's words, now the one and now the other: two voices in every segment."""
    noise = np.random.default_rng(2)
    parts, spans, at = [], [], 0
    for number, (mine, theirs) in enumerate(zip(own, other, strict=True)):
        said = [("own", phrase(mine)), ("other", phrase(theirs))]
        for (who, audio), gap_s in zip(said if number % 2 else said[::-1], (CLOSE_S, GAP_S), strict=True):
            spans.append((at / RATE, (at + len(audio)) / RATE, who))
            gap = (1e-4 * noise.standard_normal(round(gap_s * RATE))).astype(np.float32)
            parts += [audio, gap]
            at += len(audio) + len(gap)
    return np.concatenate(parts), spans


def hold(audio: Mono, verifier: SpeakerVerifier) -> list[notices.UtteranceHeard]:
    """Run a session; what was heard in it."""
    seen = Notebook()
    segmenter = Segmenter(open_vad("auto"))
    generator = ListGenerator({"question": ["thesis"]})
    parts = Parts(Tape(audio), segmenter, verifier, [Deaf()], generator, ToneSynthesizer(), SteppedOutput())
    pipeline = Pipeline(parts, PipelineSettings(lossless=True, pause_s=0.0), seen)
    pipeline.start()
    assert pipeline.wait(60.0)
    assert pipeline.close(5.0) == ()
    return seen.of(notices.UtteranceHeard)  # type: ignore[return-value]


def count(heard: Sequence[notices.UtteranceHeard], spans: Sequence[tuple[float, float, str]]) -> Counter[str]:
    """Segments by who truly spoke and what became of them."""
    counts: Counter[str] = Counter()
    for each in heard:
        middle_s = (each.utterance.start_s + each.utterance.end_s) / 2.0
        who = next((who for start, end, who in spans if start - 0.5 <= middle_s <= end + 0.5), "nobody")
        counts[f"{who}, {'not answered' if each.ignored else 'answered'}"] += 1
        counts[f"{who} called {each.utterance.speaker}"] += 1
    return counts


def seconds_of(who: str, utterance: Utterance, spans: Sequence[tuple[float, float, str]]) -> float:
    """How long somebody speaks in what was transcribed."""
    within = (min(end, utterance.end_s) - max(start, utterance.start_s) for start, end, name in spans if name == who)
    return sum(max(0.0, length) for length in within)


def enrol(clips: Sequence[Mono]) -> WearerVerifier:
    embedder = BuiltinEmbedder()
    return WearerVerifier(
        make_profile("default", examine(np.concatenate(clips)), [embedder], datetime.now(UTC)), embedder
    )


def show(counts: Counter[str], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(f"{key}: {number}" for key, number in sorted(counts.items())) + "\n")


@pytest.mark.data
def test_wearer_is_never_answered_and_others_always_are(capsys: pytest.CaptureFixture[str]) -> None:
    speakers = list(recordings().values())
    total: Counter[str] = Counter()
    for wearer, other in PAIRS:
        audio, spans = splice(speakers[wearer][ENROLLED : ENROLLED + 3], speakers[other][ENROLLED : ENROLLED + 3])
        total += count(hold(audio, enrol(speakers[wearer][:ENROLLED])), spans)
    show(total, capsys)
    assert total["own, answered"] == 0
    assert total["other, not answered"] == 0
    assert total["own, not answered"] >= 15
    assert total["other, answered"] >= 15


@pytest.mark.data
def test_segment_of_both_is_answered_without_the_words_of_the_wearer(capsys: pytest.CaptureFixture[str]) -> None:
    speakers = list(recordings().values())
    counts: Counter[str] = Counter()
    for wearer, other in PAIRS:
        own, theirs = speakers[wearer][ENROLLED : ENROLLED + 2], speakers[other][ENROLLED : ENROLLED + 2]
        audio, spans = interrupt(own, theirs)
        counts["segments of both"] += len(own)
        for each in hold(audio, enrol(speakers[wearer][:ENROLLED])):
            said = each.utterance
            mine_s, theirs_s = seconds_of("own", said, spans), seconds_of("other", said, spans)
            if not each.ignored:
                counts["answered"] += 1
                counts["answered with a second of the wearer or more"] += mine_s >= 1.0
                counts["answered, and nobody else spoke"] += theirs_s < 0.5
            else:
                counts["heard as the wearer's"] += 1
                counts["heard as the wearer's with a second of the other or more"] += theirs_s >= 1.0
    show(counts, capsys)
    # a pause within a sentence may make two of one
    assert counts["answered"] >= counts["segments of both"]
    assert counts["heard as the wearer's"] >= counts["segments of both"]
    assert counts["answered, and nobody else spoke"] == 0
    assert counts["answered with a second of the wearer or more"] == 0
    assert counts["heard as the wearer's with a second of the other or more"] == 0


@pytest.mark.data
def test_without_a_profile_the_wearer_is_answered_too() -> None:
    speakers = list(recordings().values())
    audio, spans = splice(speakers[0][4:5], speakers[1][4:5])
    assert count(hold(audio, NotEnrolled()), spans)["own, answered"] >= 1
