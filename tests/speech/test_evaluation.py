"""Figures of hearing: right on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.speech.evaluation.frames import FrameCounts, count_frames, spans_of
from sottovoce.speech.evaluation.intervals import bootstrap, wilson
from sottovoce.speech.evaluation.trials import (
    Advice,
    Trial,
    advise,
    equal_error_interval,
    error_curve,
    share_interval,
)
from sottovoce.speech.evaluation.words import WordErrors, spoken_words, word_errors
from sottovoce.speech.segmenter import Segment, SpeechStarted


def test_wilson_is_that_of_the_books() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_bootstrap_holds_the_truth_and_shrinks_with_recordings(rng: np.random.Generator) -> None:
    def parts(count: int) -> list[tuple[float, float]]:
        return [(float(rng.binomial(20, 0.3)), 20.0) for _ in range(count)]

    few, many = bootstrap(parts(10)), bootstrap(parts(400))
    assert few[0] < 0.3 < few[1]
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])
    assert bootstrap([(3.0, 10.0)]) == wilson(3, 10)
    assert bootstrap([]) == (0.0, 1.0)


def test_words_have_no_case_and_no_punctuation() -> None:
    assert spoken_words("Don’t — it's 5 o'clock, ЁЛКА!") == ["don't", "it's", "5", "o'clock", "елка"]
    assert spoken_words("'quoted' words") == ["quoted", "words"]


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("what time is it", "What time is it?", WordErrors(right=4)),
        ("what time is it", "what dime it", WordErrors(right=2, replaced=1, missed=1)),
        ("what time", "what what time", WordErrors(right=2, added=1)),
        ("what time", "", WordErrors(missed=2)),
        ("", "the noise", WordErrors(added=2)),
        ("", "", WordErrors()),
    ],
)
def test_word_errors_are_told_apart(said: str, heard: str, errors: WordErrors) -> None:
    assert word_errors(said, heard) == errors


def test_word_errors_add_up() -> None:
    both = WordErrors(2, 1, 1, 0) + WordErrors(1, 0, 0, 3)
    assert (both.said, both.wrong) == (5, 5)


def test_frames_are_counted_by_what_they_are() -> None:
    found = count_frames([(1.0, 2.0)], [(1.5, 2.5)], 4.0)
    assert found == FrameCounts(found=50, missed=50, false=50, quiet=250)
    assert found.accuracy == 0.75
    assert found.false_alarm == pytest.approx(50 / 300)
    assert count_frames([], [], 0.0).accuracy == 0.0
    assert count_frames([(3.0, 9.0)], [(-1.0, 1.0)], 4.0) == FrameCounts(0, 100, 100, 200)


def test_intervals_of_speech_leave_out_pre_roll_and_hang_over() -> None:
    nothing = np.zeros(0, np.float32)
    events = [
        SpeechStarted(1.0),
        Segment(nothing, 0.7, 11.0, 11.0, 1),
        Segment(nothing, 11.0, 14.3, 14.0, 2),
        SpeechStarted(20.0),
        SpeechStarted(30.0),
        Segment(nothing, 29.7, 31.3, 31.0, 3),
    ]
    assert list(spans_of(events)) == [(1.0, 11.0), (11.0, 14.0), (30.0, 31.0)]


def test_equal_error_rate_lies_where_both_errors_meet() -> None:
    assert error_curve([0.9, 0.8], [0.1, 0.2]).equal_error_rate == 0.0
    assert error_curve([0.1, 0.2], [0.9, 0.8]).equal_error_rate == 1.0
    assert error_curve([0.9, 0.3], [0.1, 0.5]).equal_error_rate == 0.5
    assert error_curve([1, 2, 3, 4], [0, 0, 0, 1.5]).equal_error_rate == 0.25


def test_equal_error_rate_of_two_normal_distributions(rng: np.random.Generator) -> None:
    same, different = rng.normal(2.0, 1.0, 5000), rng.normal(0.0, 1.0, 5000)
    curve = error_curve(same.tolist(), different.tolist())
    assert curve.equal_error_rate == pytest.approx(0.1587, abs=0.015)  # that of a distance of two deviations
    assert (np.diff(curve.false_accepts) <= 0).all()
    assert (np.diff(curve.false_rejects) >= 0).all()


def trials(rng: np.random.Generator, speakers: int, spread: float = 0.0) -> list[Trial]:
    """Ten recordings of each speaker against each; own ones two deviations higher, give or take what a speaker has."""
    better = rng.normal(0.0, spread, speakers) if spread else np.zeros(speakers)
    return [
        Trial(rng.normal(2.0 + better[heard] if heard == known else 0.0), f"{known}", f"{heard}", f"{heard}-{number}")
        for heard in range(speakers)
        for number in range(10)
        for known in range(speakers)
    ]


def test_equal_error_interval_holds_the_truth_and_grows_with_what_speakers_differ_in(rng: np.random.Generator) -> None:
    low, high = equal_error_interval(trials(rng, 20))
    assert low < 0.1587 < high
    wide_low, wide_high = equal_error_interval(trials(rng, 20, spread=2.0))
    assert wide_high - wide_low > 1.5 * (high - low)
    two_low, two_high = equal_error_interval(trials(rng, 2))
    assert 0.0 <= two_low < two_high <= 1.0


def test_pieces_of_one_recording_are_drawn_together(rng: np.random.Generator) -> None:
    alone = trials(rng, 6)
    often = [trial for trial in alone for _ in range(20)]
    apart, together = equal_error_interval(alone), equal_error_interval(often)
    assert together[1] - together[0] == pytest.approx(apart[1] - apart[0], abs=0.02)


def test_share_has_an_interval_of_the_same_draws(rng: np.random.Generator) -> None:
    made = trials(rng, 8)
    low, high = share_interval(made, lambda trial: trial.score > 2.0, lambda trial: trial.own)
    assert 0.0 < low < 0.5 < high < 1.0
    assert share_interval(made, lambda trial: False, lambda trial: not trial.own) == (0.0, 0.0)


def test_least_certainty_that_is_rarely_wrong_is_advised() -> None:
    def scored(own: float, others: float, count: int = 100) -> list[Trial]:
        return [Trial(own, "a", "a", f"{at}") for at in range(count)] + [
            Trial(others, "a", "b", f"{at}") for at in range(count)
        ]

    assert advise(scored(4.0, -4.0)) == Advice(0.5, 1.0, 1.0)
    assert advise([*scored(4.0, -4.0), *scored(4.0, 2.0, 5)]) == Advice(0.89, 1.0, 100 / 105)
    assert advise(scored(4.0, 6.0)) is None
    assert advise(scored(4.0, -4.0, 99)) is None


def test_trials_of_one_kind_only_are_refused() -> None:
    with pytest.raises(ValueError, match="0 trials of one voice and 1 of two"):
        error_curve([], [0.5])
