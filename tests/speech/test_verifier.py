"""Own, other or unsure; and who said what in a segment of both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from sottovoce.core.errors import ProfileError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding.base import Embedding, Scoring, probability, unit
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.speaker import SpeakerPart, SpeakerVerdict
from sottovoce.speech.wearer.enrolment import examine, make_profile
from sottovoce.speech.wearer.profile import VoiceProfile
from sottovoce.speech.wearer.verifier import EnrolledVoice, VerifierSettings, WearerVerifier
from tests.support.voices import SAMPLERATE, STRANGER, WEARER, Voice, room_noise, say, with_hum, with_offset

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def profile() -> VoiceProfile:
    return make_profile("default", examine(say(WEARER)), [BuiltinEmbedder()], NOW)


def verifier(profile: VoiceProfile, **settings: object) -> WearerVerifier:
    return WearerVerifier(profile, BuiltinEmbedder(), VerifierSettings(**settings))  # type: ignore[arg-type]


def test_own_voice_and_others_are_told_apart_with_a_probability(profile: VoiceProfile) -> None:
    judge = verifier(profile)
    for sentence in range(8):
        own, other = (judge.verify(say(voice, sentence, sentence + 1), SAMPLERATE) for voice in (WEARER, STRANGER))
        assert own.kind == "own"
        assert other.kind == "other"
        assert own.score is not None
        assert other.score is not None
        assert 0.0 <= other.score <= 0.1 < 0.9 <= own.score <= 1.0


@pytest.mark.parametrize("gain", [0.01, 0.1, 3.0])
def test_level_does_not_matter(profile: VoiceProfile, gain: float) -> None:
    audio = say(WEARER, 4, 6) * np.float32(gain)
    assert verifier(profile).verify(audio, SAMPLERATE).kind == "own"


def test_offset_and_hum_in_the_session_alone_are_survived(profile: VoiceProfile) -> None:
    judge = verifier(profile)
    assert judge.verify(with_offset(say(WEARER, 4, 6)), SAMPLERATE).kind == "own"
    assert judge.verify(with_hum(say(STRANGER, 4, 6)), SAMPLERATE).kind == "other"
    assert judge.verify(with_hum(say(WEARER, 4, 6)), SAMPLERATE).kind == "own"


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros(0, np.float32),
        lambda: np.zeros(3, np.float32),
        lambda: np.zeros(2 * SAMPLERATE, np.float32),
        lambda: say(WEARER)[3200:6400],
        lambda: say(STRANGER)[3200:6400],
    ],
    ids=["nothing", "three frames", "silence", "0.2 s own", "0.2 s other"],
)
def test_too_little_speech_is_unsure(profile: VoiceProfile, make: Callable[[], Mono]) -> None:
    assert verifier(profile).verify(make(), SAMPLERATE) == SpeakerVerdict("unsure", None)


def test_samples_that_are_no_numbers_are_survived(profile: VoiceProfile) -> None:
    audio = say(WEARER, 4, 6).copy()
    audio[100:110] = np.nan
    audio[200] = -np.inf
    assert verifier(profile).verify(audio, SAMPLERATE).kind == "own"


def test_wrong_samplerate_is_refused(profile: VoiceProfile) -> None:
    with pytest.raises(ValueError, match="8000 Hz"):
        verifier(profile).verify(say(WEARER, 4, 5), 8000)


def test_certainty_widens_what_is_unsure(profile: VoiceProfile) -> None:
    audio = np.concatenate([say(WEARER, 0, 1), say(STRANGER, 1, 2)])
    strict = verifier(profile, certainty=0.999999999, split=False)
    assert strict.verify(audio, SAMPLERATE).kind == "unsure"


def test_profile_of_another_model_is_refused(profile: VoiceProfile) -> None:
    other = VoiceProfile("old", NOW, NOW, 20.0, {"builtin-0": next(iter(profile.voices.values()))})
    with pytest.raises(ProfileError, match="made with other models") as caught:
        WearerVerifier(other, BuiltinEmbedder())
    assert "--replace" in caught.value.hint


def assert_parts(verdict: SpeakerVerdict, kinds: list[str], cuts_s: list[float], within_s: float) -> None:
    assert [part.kind for part in verdict.parts] == kinds
    found = [part.end_frame / SAMPLERATE for part in verdict.parts[:-1]]
    np.testing.assert_allclose(found, cuts_s, atol=within_s)


@pytest.mark.parametrize("gap_s", [0.1, 0.3])
def test_segment_of_both_is_cut_in_the_pause(profile: VoiceProfile, gap_s: float) -> None:
    question, answer = say(STRANGER, 3, 4), say(WEARER, 5, 6)
    gap = room_noise(round(gap_s * SAMPLERATE))
    audio = np.concatenate([question, gap, answer])
    verdict = verifier(profile).verify(audio, SAMPLERATE)
    assert verdict.kind == "other"
    middle_s = (len(question) + len(gap) / 2) / SAMPLERATE
    assert_parts(verdict, ["other", "own"], [middle_s], gap_s / 2 + 0.15)
    kept, start, end = verdict.without_wearer(audio)
    assert (start, end) == (0, verdict.parts[0].end_frame)
    np.testing.assert_array_equal(kept, audio[:end])


def test_question_behind_own_words_and_before_them_is_kept_whole(profile: VoiceProfile) -> None:
    parts = [say(WEARER, 1, 2), say(STRANGER, 4, 5), say(WEARER, 5, 6)]
    gap = room_noise(SAMPLERATE // 5)
    audio = np.concatenate([parts[0], gap, parts[1], gap, parts[2]])
    verdict = verifier(profile).verify(audio, SAMPLERATE)
    first_s = (len(parts[0]) + len(gap) / 2) / SAMPLERATE
    assert_parts(verdict, ["own", "other", "own"], [first_s, first_s + (len(parts[1]) + len(gap)) / SAMPLERATE], 0.25)
    kept, start, end = verdict.without_wearer(audio)
    assert len(kept) == end - start


@pytest.mark.parametrize("voice", [WEARER, STRANGER], ids=["wearer", "stranger"])
def test_one_voice_is_never_cut(profile: VoiceProfile, voice: Voice) -> None:
    for sentence in range(0, 8, 2):
        assert verifier(profile).verify(say(voice, sentence, sentence + 2), SAMPLERATE).parts == ()


def test_splitting_may_be_off(profile: VoiceProfile) -> None:
    audio = np.concatenate([say(STRANGER, 3, 4), say(WEARER, 5, 6)])
    assert verifier(profile, split=False).verify(audio, SAMPLERATE).parts == ()


def test_question_around_own_words_loses_them_alone() -> None:
    audio = np.arange(100, dtype=np.float32)
    parts = (SpeakerPart(0, 30, "other", 0.1), SpeakerPart(30, 60, "own", 0.9), SpeakerPart(60, 100, "unsure", None))
    kept, start, end = SpeakerVerdict("other", 0.1, parts).without_wearer(audio)
    np.testing.assert_array_equal(kept, np.concatenate([audio[:30], audio[60:]]))
    assert (start, end) == (0, 100)
    assert SpeakerVerdict("own", 0.9).without_wearer(audio)[1:] == (0, 100)


def test_profile_follows_the_voice_but_cannot_be_carried_away() -> None:
    class Flat(BuiltinEmbedder):
        scoring = Scoring((0.0, 1.0, 0.0, 0.0))

    enrolled = unit(np.eye(4, dtype=np.float32)[:1])
    drifted = Embedding(unit(np.array([1.0, 0.5, 0.0, 0.0])), 3.0)
    elsewhere = Embedding(unit(np.array([0.0, 0.0, 1.0, 0.0])), 3.0)
    voice = EnrolledVoice(enrolled, Flat())
    before = voice.log_odds(drifted)
    for _ in range(10):
        voice.learn(drifted)
    assert voice.log_odds(drifted) > before + 0.02
    for _ in range(1000):
        voice.learn(elsewhere)
    assert voice.log_odds(Embedding(enrolled[0], 3.0)) >= np.sqrt(0.5) - 1e-5


def test_sure_segments_teach_and_others_do_not(profile: VoiceProfile) -> None:
    class Noted(EnrolledVoice):
        lessons = 0

        def learn(self, embedding: Embedding) -> None:
            Noted.lessons += 1

    vectors = next(iter(profile.voices.values()))
    judges = [verifier(profile), verifier(profile, adapt=False)]
    for judge in judges:
        judge._voice = judge._found = Noted(vectors, BuiltinEmbedder())  # whether it was told is what matters
        judge.verify(say(WEARER, 0, 2), SAMPLERATE)
        judge.verify(say(STRANGER, 0, 2), SAMPLERATE)
        judge.verify(say(WEARER, 5, 6)[: SAMPLERATE // 2], SAMPLERATE)
    assert Noted.lessons == 1


def test_probability_is_between_0_and_1() -> None:
    assert probability(0.0) == 0.5
    assert 0.0 <= probability(-1e9) < 1e-9
    assert 1.0 - 1e-9 < probability(1e9) <= 1.0


def test_normalised_score_is_in_deviations_above_strangers() -> None:
    rng = np.random.default_rng(1)
    cohort = unit(rng.standard_normal((300, 50)))
    voice = unit(rng.standard_normal(50))
    scoring = Scoring((0.0, 1.0, 0.0, 0.0), cohort)
    strangers = [scoring.score(voice, unit(rng.standard_normal(50))) for _ in range(200)]
    assert scoring.score(voice, voice) > 5.0 + max(strangers)
    assert scoring.log_odds(2.0, 3.0) == 2.0
