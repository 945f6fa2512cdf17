"""Where segments begin and end, with a detector that says what the test says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.app.demo import speak_question
from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import (
    Segment,
    Segmenter,
    SegmenterEvent,
    SegmenterSettings,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)
from sottovoce.speech.vad import SileroVad, VoiceActivityDetector, WebRtcVad, open_vad
from tests.support.shared import manifest, shared_data

RATE = 16_000


class LoudnessVad:
    """Calls speech what is louder than -30 dBFS."""

    name = "loudness"
    samplerate = RATE
    blocksize = 512

    def probability(self, block: Mono) -> float:
        return float(np.abs(block).max() > 0.03)

    def reset(self) -> None: ...


def tone(seconds: float) -> Mono:
    return (0.2 * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def silence(seconds: float) -> Mono:
    return np.zeros(round(seconds * RATE), np.float32)


def segments(audio: Mono, settings: SegmenterSettings | None = None, cut: int = 1600) -> list[Segment]:
    segmenter = Segmenter(LoudnessVad(), settings)
    events = [event for start in range(0, len(audio), cut) for event in segmenter.feed(audio[start : start + cut])]
    return [event for event in [*events, *segmenter.flush()] if isinstance(event, Segment)]


def test_segment_has_its_pre_roll_and_the_true_end_of_speech() -> None:
    (segment,) = segments(np.concatenate([silence(2.0), tone(1.5), silence(2.0)]))
    assert segment.start_s == pytest.approx(1.7, abs=0.04)
    assert segment.speech_end_s == pytest.approx(3.5, abs=0.04)
    assert segment.end_s > segment.speech_end_s
    assert len(segment.audio) == round((segment.end_s - segment.start_s) * RATE)
    assert segment.number == 1


def test_pause_shorter_than_the_hang_over_does_not_cut() -> None:
    speech = np.concatenate([tone(1.0), silence(0.4), tone(1.0), silence(1.0), tone(1.0), silence(1.0)])
    assert [round(segment.speech_end_s, 1) for segment in segments(speech)] == [2.4, 4.4]


@pytest.mark.parametrize(("seconds", "passes"), [(0.2, False), (0.4, False), (0.7, True)])
def test_short_segments_are_ignored_and_a_short_question_passes(seconds: float, passes: bool) -> None:
    audio = np.concatenate([silence(1.0), tone(seconds), silence(1.0)])
    assert bool(segments(audio)) is passes


PAUSING = SegmenterSettings(pause_ms=160, hang_over_ms=800, short_hang_over_ms=300)


def events_of(audio: Mono, settings: SegmenterSettings, cut: int = 512, hasten: bool = False) -> list[SegmenterEvent]:
    segmenter = Segmenter(LoudnessVad(), settings)
    events: list[SegmenterEvent] = []
    for start in range(0, len(audio), cut):
        new = segmenter.feed(audio[start : start + cut])
        for event in new:
            if hasten and isinstance(event, SpeechPaused):
                segmenter.hasten(event.segment.number, event.segment.revision)
        events += new
    return events + segmenter.flush()


def test_pause_gives_the_segment_that_comes_if_nothing_more_is_said() -> None:
    started, paused, segment = events_of(np.concatenate([silence(1.0), tone(1.5), silence(2.0)]), PAUSING)
    assert isinstance(started, SpeechStarted)
    assert isinstance(paused, SpeechPaused)
    assert isinstance(segment, Segment)
    assert (paused.segment.number, paused.segment.revision) == (segment.number, segment.revision) == (1, 1)
    assert paused.segment.speech_end_s == segment.speech_end_s
    same = len(paused.segment.audio)
    assert np.array_equal(paused.segment.audio, segment.audio[:same])


def test_pause_that_is_over_by_the_end_of_a_chunk_is_of_no_use_and_not_told() -> None:
    segmenter = Segmenter(LoudnessVad(), PAUSING)
    events = segmenter.feed(np.concatenate([silence(1.0), tone(1.5), silence(0.4), tone(0.5)]))
    assert [type(event) for event in events] == [SpeechStarted]
    (paused,) = segmenter.feed(silence(0.4))
    assert isinstance(paused, SpeechPaused)
    assert paused.segment.revision == 1


def test_speech_that_goes_on_voids_its_pause() -> None:
    speech = np.concatenate([tone(1.0), silence(0.4), tone(1.0), silence(2.0)])
    kinds = [type(event) for event in events_of(speech, PAUSING)]
    assert kinds == [SpeechStarted, SpeechPaused, SpeechResumed, SpeechPaused, Segment]


def test_pauses_in_close_succession_are_noticed_later_than_the_first() -> None:
    settings = SegmenterSettings(pause_ms=60, pause_again_ms=160, hang_over_ms=600)
    speech = [tone(1.0), silence(0.1), tone(0.3), silence(0.1), tone(0.3), silence(0.2), tone(1.5), silence(0.1)]
    events = events_of(np.concatenate([*speech, tone(0.5), silence(1.0)]), settings)
    pauses = [event.segment.speech_end_s for event in events if isinstance(event, SpeechPaused)]
    assert [round(at_s, 1) for at_s in pauses] == [1.0, 1.8, 3.5, 4.1]


def test_open_segment_grows_from_its_pre_roll_once_it_counts_until_it_ends() -> None:
    segmenter = Segmenter(LoudnessVad(), PAUSING)
    audio = np.concatenate([silence(1.0), tone(1.5), silence(0.4), tone(0.5), silence(2.0)])
    heard = np.zeros(0, np.float32)
    start_frames, first_s, last_s = set(), 0.0, 0.0
    for start in range(0, len(audio), 1000):
        segmenter.feed(audio[start : start + 1000])
        opened = segmenter.open_segment
        if opened is not None:
            start_frames.add(opened.start_frame)
            first_s, last_s = first_s or segmenter.position_s, segmenter.position_s
            heard = np.concatenate([heard, segmenter.spoken_since(opened.start_frame + len(heard))])
            assert opened.number == 1
            assert len(heard) == opened.end_frame - opened.start_frame
    (start_frame,) = start_frames
    assert start_frame == pytest.approx(0.7 * RATE, abs=512)
    assert np.array_equal(heard, audio[start_frame : start_frame + len(heard)])
    assert first_s == pytest.approx(1.4, abs=0.1)
    assert last_s == pytest.approx(4.2, abs=0.1)


def test_cough_opens_no_segment() -> None:
    segmenter = Segmenter(LoudnessVad(), PAUSING)
    for chunk in (tone(0.3), silence(0.2), silence(2.0)):
        segmenter.feed(chunk)
        assert segmenter.open_segment is None


def test_short_speech_gives_no_pause() -> None:
    assert [type(event) for event in events_of(np.concatenate([tone(0.1), silence(2.0)]), PAUSING)] == [SpeechStarted]


def test_hastened_pause_ends_after_the_short_hang_over() -> None:
    speech = np.concatenate([tone(1.5), silence(0.5), tone(1.0), silence(2.0)])
    found = [event for event in events_of(speech, PAUSING, hasten=True) if isinstance(event, Segment)]
    assert [round(segment.speech_end_s, 1) for segment in found] == [1.5, 3.0]
    assert sum(isinstance(event, Segment) for event in events_of(speech, PAUSING)) == 1


def test_word_of_a_pause_that_is_over_hastens_nothing() -> None:
    segmenter = Segmenter(LoudnessVad(), PAUSING)
    segmenter.feed(np.concatenate([tone(1.5), silence(0.2)]))
    segmenter.feed(tone(0.5))
    segmenter.feed(silence(0.2))
    segmenter.hasten(1, 1)
    assert not any(isinstance(event, Segment) for event in segmenter.feed(silence(0.3)))
    segmenter.hasten(1, 2)
    assert any(isinstance(event, Segment) for event in segmenter.feed(silence(0.1)))


@given(cuts=st.lists(st.sampled_from([0.1, 0.2, 0.35, 0.5, 1.0]), min_size=1, max_size=12))
def test_every_pause_is_settled_or_void(cuts: list[float]) -> None:
    pieces = [part for seconds in cuts for part in (tone(1.5 - seconds), silence(seconds))]
    open_pause: tuple[int, int] | None = None
    for event in events_of(np.concatenate([*pieces, silence(1.0)]), PAUSING):
        match event:
            case SpeechPaused(segment):
                assert open_pause is None
                open_pause = (segment.number, segment.revision)
            case SpeechResumed(number, revision):
                assert open_pause == (number, revision)
                open_pause = None
            case Segment():
                assert open_pause in (None, (event.number, event.revision))
                assert (open_pause is None) == (event.revision == 0)
                open_pause = None
    assert open_pause is None


def test_click_is_no_start() -> None:
    segmenter = Segmenter(LoudnessVad())
    assert segmenter.feed(np.concatenate([silence(1.0), tone(0.01), silence(1.0)])) == []


@given(cuts=st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_the_same_segments_however_the_stream_is_cut(cuts: list[int]) -> None:
    rng = np.random.default_rng(2)
    audio = np.concatenate([silence(0.5), tone(1.2), silence(0.9), tone(0.9), silence(0.3), tone(0.5), silence(1.0)])
    audio += (0.001 * rng.standard_normal(len(audio))).astype(np.float32)
    segmenter, at, found = Segmenter(LoudnessVad()), 0, []
    for turn in range(math.ceil(len(audio) / sum(cuts)) * len(cuts)):
        size = cuts[turn % len(cuts)]
        found += segmenter.feed(audio[at : at + size])
        at += size
    found += segmenter.flush()
    whole = Segmenter(LoudnessVad())
    wanted = [*whole.feed(audio), *whole.flush()]
    assert [type(event) for event in found] == [type(event) for event in wanted]
    for event, other in zip(found, wanted, strict=True):
        if isinstance(event, Segment) and isinstance(other, Segment):
            assert (event.start_s, event.end_s, event.number) == (other.start_s, other.end_s, other.number)
            assert np.array_equal(event.audio, other.audio)


def test_monologue_is_cut_at_its_pause_and_nothing_is_lost() -> None:
    audio = np.concatenate([tone(8.0), silence(0.3), tone(4.0), silence(1.0)])
    first, second = segments(audio, SegmenterSettings(max_segment_s=10.0))
    assert first.end_s == pytest.approx(8.15, abs=0.2)
    assert second.start_s <= first.end_s
    assert second.speech_end_s == pytest.approx(12.3, abs=0.04)
    assert len(first.audio) <= 10.0 * RATE


def test_memory_is_bounded_while_somebody_never_stops() -> None:
    settings = SegmenterSettings(max_segment_s=5.0)
    found = segments(tone(60.0), settings)
    assert len(found) >= 12
    assert max(len(segment.audio) for segment in found) <= 5.0 * RATE


def test_nan_and_inf_are_survived() -> None:
    audio = np.concatenate([silence(1.0), tone(1.5), silence(1.0)])
    audio[100], audio[20_000] = np.nan, np.inf
    (segment,) = segments(audio)
    assert np.isfinite(segment.audio).all()


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        Segmenter(LoudnessVad()).feed(np.zeros((10, 2), np.float32))


@pytest.mark.parametrize(
    ("key", "value"), [("hang_over_ms", 0), ("min_segment_ms", -1), ("max_segment_s", 0.5), ("threshold", 1.5)]
)
def test_settings_out_of_range_are_named(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=key):
        SegmenterSettings(**{key: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [SileroVad, WebRtcVad])
def test_detectors_hear_a_voice_and_not_a_quiet_room(make: type[SileroVad] | type[WebRtcVad]) -> None:
    vad: VoiceActivityDetector = make()
    room = (0.0005 * np.random.default_rng(4).standard_normal(2 * RATE)).astype(np.float32)
    speech = speak_question("How much does it cost to send it back?")
    events = Segmenter(vad).feed(np.concatenate([room, speech, room]))
    assert [type(event) for event in events] == [SpeechStarted, Segment]
    started, segment = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(segment, Segment)
    assert started.at_s == pytest.approx(2.0, abs=0.2)
    assert segment.speech_end_s == pytest.approx(2.0 + len(speech) / RATE, abs=0.4)


def test_silero_is_the_default_where_it_is_installed() -> None:
    assert open_vad("auto").name == "silero"
    with pytest.raises(ConfigError, match="there are: auto, silero, webrtc"):
        open_vad("loud")  # type: ignore[arg-type]


@pytest.mark.data
def test_real_short_question_passes_and_noise_does_not() -> None:
    import soundfile

    for row in [*manifest("questions"), *manifest("noise")]:
        audio, samplerate = soundfile.read(shared_data() / "speech" / row["file"], dtype="float32")
        assert samplerate == RATE
        segmenter = Segmenter(open_vad("silero"))
        found = [event for event in [*segmenter.feed(audio[: 60 * RATE]), *segmenter.flush()] if type(event) is Segment]
        assert bool(found) is bool(row["transcript"]), row["file"]


@pytest.mark.data
def test_border_within_a_long_speech_divides_no_word() -> None:
    import json

    import soundfile

    audio, words = np.zeros(0, np.float32), []
    for row in manifest("librivox_austen") * 2:
        path = shared_data() / "speech" / row["file"]
        offset_s = len(audio) / RATE
        for word in json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["w"]:
            if not word["t"].startswith("<"):
                words.append((offset_s + word["b"], offset_s + word["b"] + word["d"]))
        audio = np.concatenate([audio, soundfile.read(path, dtype="float32")[0]])
    segmenter = Segmenter(open_vad("silero"), SegmenterSettings(max_segment_s=8.0, hang_over_ms=1000))
    found = [event for event in [*segmenter.feed(audio), *segmenter.flush()] if isinstance(event, Segment)]

    def divided(borders: list[float]) -> int:  # a word may begin or end with a silent closure
        return sum(any(start + 0.06 < at < end - 0.06 for start, end in words) for at in borders)

    assert len(found) >= 5
    assert divided([segment.end_s for segment in found]) == 0
    assert divided([8.0 * number for number in range(1, len(found))]) > 0, "borders at fixed times do divide words"


def test_aligned_stream_judges_each_chunk_as_it_comes() -> None:
    aligned, left = Segmenter(LoudnessVad(), PAUSING), Segmenter(LoudnessVad(), PAUSING)
    for segmenter in (aligned, left):
        segmenter.feed(silence(1.0))
        segmenter.feed(silence(0.02))  # less than a block: the next one lies across the chunks
    aligned.align()
    loud = tone(0.032)
    for _ in range(2):
        events = [event for event in aligned.feed(loud) if isinstance(event, SpeechStarted)]
    assert [event.at_s for event in events] == [pytest.approx(1.02, abs=1e-3)], "told with the chunk that proves it"
    assert aligned.position_s == pytest.approx(1.02 + 0.064)
    spoken = [event for chunk in (*[loud] * 40, silence(2.0)) for event in aligned.feed(chunk)]
    (segment,) = [event for event in spoken if isinstance(event, Segment)]
    assert segment.start_s == pytest.approx(1.02 - 0.3, abs=0.04), "the pre-roll is whole"
    assert len(segment.audio) == round((segment.end_s - segment.start_s) * RATE)
    assert segment.speech_end_s == pytest.approx(1.02 + 42 * 0.032, abs=1e-3)


def test_alignment_passes_over_nothing_that_may_be_speech() -> None:
    segmenter = Segmenter(LoudnessVad())
    segmenter.feed(silence(1.0))
    segmenter.feed(tone(0.02))
    segmenter.align()
    assert any(isinstance(event, SpeechStarted) for event in segmenter.feed(tone(0.076)))
    speaking = Segmenter(LoudnessVad())
    speaking.feed(tone(1.0))
    speaking.feed(silence(0.02))
    speaking.align()
    (segment,) = [event for event in speaking.feed(silence(1.0)) if isinstance(event, Segment)]
    assert len(segment.audio) == round((segment.end_s - segment.start_s) * RATE)


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=40))
def test_aligned_stream_loses_no_time_and_no_sound(cuts: list[int]) -> None:
    audio = np.concatenate([silence(1.0), tone(1.0), silence(1.0), tone(0.9), silence(1.5)])
    segmenter, at, found = Segmenter(LoudnessVad()), 0, []
    for cut in (*cuts, *[512] * 200):
        found += segmenter.feed(audio[at : at + cut])
        at = min(at + cut, len(audio))
        segmenter.align()
        assert segmenter.position_s == pytest.approx(at / RATE)
    found = [event for event in found if isinstance(event, Segment)]
    assert [round(segment.speech_end_s, 1) for segment in found] == [2.0, 3.9]
    for segment in found:
        start = round(segment.start_s * RATE)
        np.testing.assert_array_equal(segment.audio, audio[start : start + len(segment.audio)])
