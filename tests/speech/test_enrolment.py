"""What may be enrolled, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from sottovoce.core.errors import ProfileError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.wearer.enrolment import CLIP_SPEECH_S, cut_clips, examine, make_profile
from sottovoce.speech.wearer.verifier import WearerVerifier
from tests.support.voices import (
    SAMPLERATE,
    STRANGER,
    WEARER,
    Voice,
    clipped,
    music,
    on_the_telephone,
    room_noise,
    say,
    with_hum,
    with_offset,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def faults(audio: Mono) -> dict[str, bool]:
    """What is found, and whether it is fatal."""
    return {finding.fault: finding.fatal for finding in examine(audio).findings}


@pytest.mark.parametrize("voice", [WEARER, STRANGER], ids=["wearer", "stranger"])
def test_clean_voice_has_no_faults_and_makes_a_profile(voice: Voice) -> None:
    examined = examine(say(voice))
    assert examined.findings == ()
    assert 15.0 < examined.speech_s < 60.0
    profile = make_profile("default", examined, [BuiltinEmbedder()], NOW)
    vectors = profile.voices[BuiltinEmbedder().model]
    assert len(vectors) == 2 * int(examined.speech_s / CLIP_SPEECH_S)  # as they are, and through a channel
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (with_offset, "offset"),
        (with_hum, "hum"),
        (on_the_telephone, "telephone"),
        (lambda audio: audio * np.float32(0.1), "quiet"),
    ],
)
def test_poor_microphone_is_said_and_survived(change: Callable[[Mono], Mono], fault: str) -> None:
    found = faults(change(say(WEARER)))
    assert found == {fault: False}
    profile = make_profile("default", examine(change(say(WEARER))), [BuiltinEmbedder()], NOW)
    verifier = WearerVerifier(profile, BuiltinEmbedder())
    own, stranger = (verifier.verify(change(say(voice, 4, 6)), SAMPLERATE) for voice in (WEARER, STRANGER))
    assert own.kind == "own"
    assert own.score is not None
    assert stranger.score is not None
    assert stranger.score < own.score
    if fault != "telephone":  # whose band leaves little of what tells synthetic voices apart
        assert stranger.kind != "own"


def _with_stranger(audio: Mono) -> Mono:
    return np.concatenate([audio[: 12 * SAMPLERATE], say(STRANGER)[: 12 * SAMPLERATE]])


def _with_music(audio: Mono) -> Mono:
    return audio + np.float32(2.0) * music(len(audio) / SAMPLERATE + 1)[: len(audio)]


def _in_noise(audio: Mono) -> Mono:
    return audio + np.float32(0.4) * room_noise(len(audio), -12.0)


@pytest.mark.parametrize(
    ("audio", "fault"),
    [
        (lambda: np.zeros(0, np.float32), "silent"),
        (lambda: np.zeros(20 * SAMPLERATE, np.float32), "silent"),
        (lambda: room_noise(20 * SAMPLERATE), "silent"),
        (lambda: say(WEARER, 0, 1), "short"),
        (lambda: clipped(say(WEARER)), "clipped"),
        (lambda: _with_stranger(say(WEARER)), "voices"),
        (lambda: music(20.0), "music"),
        (lambda: _with_music(say(WEARER)), "music"),
        (lambda: _in_noise(say(WEARER)), "noise"),
    ],
    ids=["nothing", "zeros", "room", "short", "clipped", "two voices", "music", "music behind", "noise behind"],
)
def test_what_makes_no_profile_is_refused_with_advice(audio: Callable[[], Mono], fault: str) -> None:
    examined = examine(audio())
    fatal = {finding.fault: finding for finding in examined.fatal}
    assert fault in fatal, examined.findings
    with pytest.raises(ProfileError) as caught:
        make_profile("default", examined, [BuiltinEmbedder()], NOW)
    assert fatal[fault].said in caught.value.message  # type: ignore[index]
    assert fatal[fault].advice in caught.value.hint  # type: ignore[index]


def test_a_fifth_of_a_second_is_short_and_not_called_music() -> None:
    assert [finding.fault for finding in examine(say(WEARER)[3200:6400]).fatal] == ["short"]


def test_samples_that_are_no_numbers_are_survived() -> None:
    audio = say(WEARER).copy()
    audio[1000:1010] = np.nan
    audio[2000] = np.inf
    assert examine(audio).fatal == ()


def test_clips_are_all_of_the_recording() -> None:
    audio = say(WEARER)
    clips = cut_clips(audio)
    np.testing.assert_array_equal(np.concatenate(clips), audio)
    assert len(cut_clips(audio[: SAMPLERATE // 2])) == 1
