"""Tune how notes are found, and from which likelihood a note is given: prints the numbers and what they trade.

    python tools/tune_notes.py [--notes N]

On corpora made for tuning (``bench/notes_corpus.py`` with the default draws), English and Russian; the bench measures
on others. First the weights of the measures: those under which the right notes come first most often, asked in four
ways, clean and misheard, in few notes and in many. Then the likelihood that the first note is the right one: a logistic
regression on those questions and on others without an answer. Then, for each threshold, how often the right note and
a wrong one would be given, in percent of the questions of a kind.
"""

from __future__ import annotations

import argparse
import math
import pickle
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.notes_corpus import Corpus, english, russian
from sottovoce.speech.notes import ranking
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.note import Note
from sottovoce.speech.notes.words import content_words

Floats = NDArray[np.float64]

ERROR_RATES = (0.0, 0.6)
QUESTIONS = 100
#: Where the climb begins: near a plateau, so that it does not trust one measure alone where corpora allow it.
START = np.array([1.0, 2.0, 4.0, 3.0, 2.0, 5.0, 0.3])


@dataclass(frozen=True, slots=True)
class Trial:
    """The candidates of a question: what each measures, which of them is right (-1: none), and where they came from."""

    kind: str
    measures: Floats
    right: int
    notes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--notes", type=int, default=10_000, help="size of the English corpus")
    parser.add_argument(
        "--keep", type=Path, help="file of the measures: made if it is not there, so that fits can be tried"
    )
    given = parser.parse_args()
    trials = _kept(given.keep, given.notes)
    weights = fit_weights(trials)
    print("WEIGHTS", dict(zip(ranking.MEASURES, weights.round(2).tolist(), strict=True)))
    features, labels, kinds = likelihood_data(trials, weights)
    likelihood = fit_logistic(features, labels, np.array([_importance(kind) for kind in kinds]))
    print("LIKELIHOOD", likelihood.round(2).tolist())
    show_curve(1 / (1 + np.exp(-features @ likelihood)), labels, kinds)


def _kept(path: Path | None, count: int) -> list[Trial]:
    if path is not None and path.exists():
        return list(pickle.loads(path.read_bytes()))
    trials = [*_trials("en", english(count), count), *_trials("ru", russian(count // 2), count // 2)]
    if path is not None:
        path.write_bytes(pickle.dumps(trials))
    return trials


def _trials(language: str, corpus: Corpus, count: int) -> Iterator[Trial]:
    rng = random.Random(3)
    sentences = [note.title.rstrip("?") for note in corpus.notes[:600]]
    shares = {rate: corpus.mishear.share_for(sentences[:150], rate) if rate else 0.0 for rate in ERROR_RATES}
    for size in (15, 300, count):
        # neighbours in the order of their files are of one subject
        notes = sorted(corpus.notes, key=lambda note: note.path)[:size] if size < count else list(corpus.notes)
        index = NotesIndex(notes)
        rows = {note.title: row for row, note in enumerate(notes)}
        others = {note.title: other for note, other in zip(corpus.notes, corpus.reworded, strict=True)}
        asked = [note.title for note in rng.sample(notes, min(QUESTIONS, size))]
        asked = (asked * math.ceil(QUESTIONS / len(asked)))[:QUESTIONS]
        near = _near(corpus, notes, size, rng)
        far = (list(corpus.far) * 5)[: QUESTIONS // 2]
        for rate, share in shares.items():
            for title in asked:
                for kind, text in _ways_to_ask(notes[rows[title]], others[title], rng):
                    if kind != "same" or rate:
                        heard = corpus.mishear(text, share, rng)
                        yield _trial(index, f"{language} {size} {kind} {rate}", heard, rows[title])
            for kind, texts in (("near", near), ("far", far)):
                for text in texts:
                    yield _trial(index, f"{language} {size} {kind} {rate}", corpus.mishear(text, share, rng), -1)


def _ways_to_ask(note: Note, other: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """As it is written; with the same words in another sentence; by a few of them; by what its points say."""
    yield "same", note.title.rstrip("?")
    yield "reworded", other
    yield "short", " ".join(rng.sample(content_words(note.title), 2))
    yield "points", " ".join(rng.sample(content_words(rng.choice(note.points)), 3))


def _near(corpus: Corpus, notes: Sequence[Note], size: int, rng: random.Random) -> list[str]:
    """Questions about the subjects of these notes that none of them answers."""
    if size == len(corpus.notes):
        return list(corpus.near[:QUESTIONS])
    subjects, kept = {note.path for note in notes}, {note.title for note in notes}
    left = [note.title.rstrip("?") for note in corpus.notes if note.path in subjects and note.title not in kept]
    left += [text for text in corpus.near if not left]
    return rng.sample(left, min(QUESTIONS, len(left)))


def _trial(index: NotesIndex, kind: str, text: str, right: int) -> Trial:
    found = index.measured(text)
    place = next((place for place, each in enumerate(found) if each.row == right), -1) if right >= 0 else -1
    measures = np.array([each.values for each in found]).reshape(len(found), len(ranking.MEASURES))
    return Trial(kind, measures, place, len(index))


def fit_weights(trials: Sequence[Trial], rounds: int = 3) -> Floats:
    """Weights under which the right notes come first most often, in the mean of all kinds: by climbing."""
    answered = [trial for trial in trials if " near " not in trial.kind and " far " not in trial.kind]
    kinds = list(dict.fromkeys(trial.kind for trial in answered))
    most = max(len(trial.measures) for trial in answered)
    measures = np.full((len(answered), most, len(ranking.MEASURES)), -np.inf)
    for at, trial in enumerate(answered):
        measures[at, : len(trial.measures)] = trial.measures
    right = np.array([trial.right for trial in answered])
    kind = np.array([kinds.index(trial.kind) for trial in answered])
    # what corpora say in points is made up more freely than any notes are
    share = np.array([0.3 if " points " in name else 1.0 for name in kinds])

    def found(weights: Floats) -> float:
        first = (np.maximum(measures, -1e9) @ weights).argmax(axis=1) == right
        return float(share @ (np.bincount(kind, first) / np.bincount(kind)) / share.sum())

    weights, best = START.copy(), found(START)
    for step in (1.5, 1.25, 1.1)[:rounds]:
        for place in [*range(len(weights))] * 2:
            for factor in (step, 1 / step):
                tried = weights.copy()
                tried[place] *= factor
                if (now := found(tried)) > best:
                    weights, best = tried, now
    print(f"right first: {100 * best:.1f} % of the mean kind")
    return weights


def likelihood_data(trials: Sequence[Trial], weights: Floats) -> tuple[Floats, Floats, list[str]]:
    """What the likelihood is found from, whether the first note was right, and the kinds of question."""
    rows, labels, kinds = [], [], []
    for trial in trials:
        if not len(trial.measures):
            continue
        scores = trial.measures @ weights
        order = np.argsort(-scores, kind="stable")
        lead = scores[order[0]] - (scores[order[1]] if len(order) > 1 else 0.0)
        rows.append(ranking.likelihood_features(trial.measures[order[0]], lead, trial.notes))
        labels.append(float(order[0] == trial.right))
        kinds.append(trial.kind)
    return np.array(rows), np.array(labels), kinds


def fit_logistic(features: Floats, labels: Floats, importance: Floats, steps: int = 20_000) -> Floats:
    """Logistic regression by ascent; what speaks for a note (all but constant and size) counts no less than 0."""
    found, speed = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for _ in range(steps):
        share = 1 / (1 + np.exp(-features @ found))
        slope = features.T @ (importance * (labels - share)) / importance.sum() - 1e-4 * found
        speed = 0.95 * speed + slope
        found += 0.1 * speed
        found[2:] = np.maximum(0.0, found[2:])
    return found


def _importance(kind: str) -> float:
    """A question without an answer counts more: a wrong note is worse than none."""
    return 2.0 if " near " in kind or " far " in kind else 1.0


def show_curve(likely: Floats, labels: Floats, kinds: Sequence[str]) -> None:
    """For each kind of question and each threshold: right / wrong notes given, in percent of the questions."""
    thresholds = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    print(f"{'questions':<24}" + "".join(f"{threshold:>12}" for threshold in thresholds))
    for kind in dict.fromkeys(kinds):
        chosen = np.array([each == kind for each in kinds])
        cells = []
        for threshold in thresholds:
            given = likely[chosen] >= threshold
            right = 100 * (given & (labels[chosen] > 0)).mean()
            cells.append(f"{right:5.0f} /{100 * given.mean() - right:4.0f}")
        print(f"{kind:<24}" + "".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
