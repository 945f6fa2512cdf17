"""Make the numbers of the embedded speaker embedding: ``python tools/train_speaker.py [--data DIR] [--out FILE]``.

Trained on one clip of each of 251 speakers of LibriSpeech (train-clean-100; V. Panayotov, G. Chen, D. Povey and
S. Khudanpur, "LibriSpeech: an ASR corpus based on public domain audio books", ICASSP 2015; CC BY 4.0), cut into pieces
that are sent through microphones, rooms and noise of ``speaker_channels.py``. NumPy and SciPy (the extra ``bench``);
some minutes on two cores; the same numbers at every run on one machine.

Nothing is tuned or tested on the speakers that the project tests with. What is printed at the end, and the calibration,
come from speakers left out of the discriminants in turn (4 folds), with pieces of the first half of a clip enrolled and
of the second half, through another channel, compared.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.optimize
import soundfile
from speaker_channels import CLEAN, Audio, draw_channel

from sottovoce.speech.embedding._frontend import Analysis, Floats, analyse
from sottovoce.speech.embedding._model import Mixture, SpeakerModel, Statistics, statistics_of, supervector
from sottovoce.speech.embedding.base import Scoring, unit
from sottovoce.speech.evaluation.trials import error_curve

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "speaker_background"
OUT = ROOT / "src" / "engine" / "sottovoce" / "speech" / "embedding" / "builtin.npz"

SAMPLERATE = 16_000
COMPONENTS = 64
MIXTURE_STEPS = 120_000
MIXTURE_ROUNDS = 8
PRINCIPAL = 160
DISCRIMINANTS = 120
#: Share of the mean within-speaker variance that is added to each direction, so that none is trusted too much.
SHRINKAGE = 0.02
FOLDS = 4
#: Pieces of a clip: from its first half in two channels of their own, and from its second half in many.
ENROLLED_PIECES, HEARD_PIECES, ENROLLED_S = 4, 12, 3.0


@dataclass(frozen=True)
class Piece:
    """A part of a clip, after its channel."""

    speaker: int
    part: str  # "clean", "changed" (both from the first half) or "heard"
    analysis: Analysis


def read_clips(folder: Path) -> list[Audio]:
    """Every clip, one of each speaker, in the order of their names."""
    return [soundfile.read(path, dtype="float32")[0] for path in sorted(folder.glob("*.flac"))]


#: Of a process that cuts them.
_CLIPS: list[Audio] = []


def cut_pieces(clips: list[Audio], seed: int, workers: int) -> list[Piece]:
    """Pieces of all clips, through channels; the same whatever the number of processes."""
    with ProcessPoolExecutor(workers, initializer=_CLIPS.extend, initargs=(clips,)) as pool:
        jobs = pool.map(_pieces_of, range(len(clips)), repeat(seed), chunksize=8)
        return [piece for pieces in jobs for piece in pieces]


def _pieces_of(speaker: int, seed: int) -> list[Piece]:
    clips, rng = _CLIPS, np.random.default_rng([seed, speaker])
    clip = clips[speaker]
    middle = int(0.55 * len(clip))
    first, second = clip[:middle], clip[middle:]
    pieces = []
    for part, channel in (("clean", CLEAN), ("changed", draw_channel(rng))):
        for start in np.linspace(0, max(0, len(first) - ENROLLED_S * SAMPLERATE), ENROLLED_PIECES).astype(int):
            piece = first[start : start + int(ENROLLED_S * SAMPLERATE)]
            pieces.append(Piece(speaker, part, analyse(channel(piece, clips, rng))))
    for number in range(HEARD_PIECES):
        frames = int(min(len(second), SAMPLERATE * 2.0 ** rng.uniform(-0.5, 2.2)))
        start = int(rng.integers(0, len(second) - frames + 1))
        channel = CLEAN if number % 4 == 0 else draw_channel(rng)
        pieces.append(Piece(speaker, "heard", analyse(channel(second[start : start + frames], clips, rng))))
    return [piece for piece in pieces if piece.analysis.speech_s >= 0.35]


def train_mixture(cepstra: Floats, rng: np.random.Generator) -> Mixture:
    """Expectation and maximisation, from means that k-means has found."""
    means = cepstra[rng.choice(len(cepstra), COMPONENTS, replace=False)].copy()
    for _ in range(8):
        nearest = np.argmin((means**2).sum(axis=1) - 2.0 * cepstra @ means.T, axis=1)
        for component in range(COMPONENTS):
            members = cepstra[nearest == component]
            if len(members):
                means[component] = members.mean(axis=0)
    everything = cepstra.var(axis=0)
    mixture = Mixture(
        np.full(COMPONENTS, 1.0 / COMPONENTS, np.float32),
        means,
        np.tile(everything, (COMPONENTS, 1)).astype(np.float32),
    )
    for _ in range(MIXTURE_ROUNDS):
        shares = mixture.posteriors(cepstra)
        occupancy = shares.sum(axis=0)[:, None] + 1e-3
        means = shares.T @ cepstra / occupancy
        variances = np.maximum(shares.T @ cepstra**2 / occupancy - means**2, 0.02 * everything)
        mixture = Mixture((occupancy[:, 0] / occupancy.sum()).astype(np.float32), means, variances.astype(np.float32))
    return mixture


def usual_pitch_of(pieces: list[Piece]) -> Floats:
    """Mean of the speakers' mean log pitch, its deviation, and their mean spread; from clean pieces."""
    means, spreads = [], []
    for speaker in sorted({piece.speaker for piece in pieces if piece.part == "clean"}):
        found = [p.analysis.pitch[p.analysis.speech] for p in pieces if p.speaker == speaker and p.part == "clean"]
        voiced = np.concatenate(found)
        voiced = voiced[np.isfinite(voiced)]
        if len(voiced) > 50:
            means.append(voiced.mean())
            spreads.append(voiced.std())
    return np.array([np.mean(means), np.std(means), np.mean(spreads)], np.float32)


def train_principal(vectors: Floats) -> tuple[Floats, Floats]:
    """Mean of the supervectors without the pitch, and their principal axes, each over its deviation."""
    spectral = vectors[:, :-2]
    mean = spectral.mean(axis=0)
    centred = spectral - mean
    size = centred.shape[1]
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    values, axes = scipy.linalg.eigh(covariance, subset_by_index=(size - PRINCIPAL, size - 1), overwrite_a=True)
    return mean, (axes / np.sqrt(values)).astype(np.float32)


def reduce(vectors: Floats, mean: Floats, principal: Floats) -> Floats:
    """Principal components, and the pitch behind them."""
    return np.concatenate([(vectors[:, :-2] - mean) @ principal, vectors[:, -2:]], axis=1)


def train_discriminants(reduced: Floats, speakers: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Where voices lie apart, as many directions as wanted in columns, and the mean in them."""
    within = np.zeros((PRINCIPAL + 2, PRINCIPAL + 2))
    centres = []
    for speaker in np.unique(speakers):
        own = reduced[speakers == speaker].astype(np.float64)
        centres.append(own.mean(axis=0))
        within += (own - centres[-1]).T @ (own - centres[-1])
    within /= len(reduced)
    within += SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    _, directions = scipy.linalg.eigh(np.cov(np.array(centres).T), within)
    discriminants = directions[:, ::-1][:, :DISCRIMINANTS].astype(np.float32)
    return discriminants, reduced.mean(axis=0) @ discriminants


def centres_of(embedded: Floats, speakers: npt.NDArray[np.int64]) -> Floats:
    """The middle of each speaker's vectors."""
    return np.array([unit(embedded[speakers == speaker].mean(axis=0)) for speaker in np.unique(speakers)])


@dataclass(frozen=True)
class Trials:
    """Comparisons of a piece with an enrolled voice."""

    scores: npt.NDArray[np.float64]
    speech_s: npt.NDArray[np.float64]
    own: npt.NDArray[np.bool_]
    clean: npt.NDArray[np.bool_]  # what was enrolled


def trials_of_folds(reduced: Floats, pieces: list[Piece], rng: np.random.Generator) -> Trials:
    """Each speaker compared with all of its fold, by discriminants that know none of them."""
    speakers = np.array([piece.speaker for piece in pieces])
    fold_of = rng.permutation(speakers.max() + 1) % FOLDS
    rows = []
    for fold in range(FOLDS):
        known = fold_of[speakers] != fold
        discriminants, middle = train_discriminants(reduced[known], speakers[known])
        embedded = unit(reduced @ discriminants - middle)
        scoring = Scoring((0.0, 0.0, 0.0, 0.0), centres_of(embedded[known], speakers[known]))
        for part in ("clean", "changed"):
            there = {piece.speaker for piece in pieces if piece.part == part}
            voices = np.array([voice for voice in np.flatnonzero(fold_of == fold) if voice in there])
            members = [[i for i, p in enumerate(pieces) if p.speaker == voice and p.part == part] for voice in voices]
            enrolled = np.array([unit(embedded[own].mean(axis=0)) for own in members])
            heard = [i for i, piece in enumerate(pieces) if piece.part == "heard" and not known[i]]
            scores = scoring.scores(enrolled, embedded[heard])
            lengths = np.array([pieces[i].analysis.speech_s for i in heard])
            same = voices[:, None] == speakers[heard]
            rows.append((scores, np.broadcast_to(lengths, scores.shape), same, np.full(scores.shape, part == "clean")))
    return Trials(*(np.concatenate([each.ravel() for each in column]) for column in zip(*rows, strict=True)))


def calibrate(trials: Trials) -> tuple[float, float, float, float]:
    """Logistic regression on score and length, own and other voices weighing the same.

    Only what was enrolled as it was recorded counts: the wearer enrols with the microphone that is worn.
    """
    scores, own, lengths = trials.scores[trials.clean], trials.own[trials.clean], np.log2(trials.speech_s[trials.clean])
    inputs = np.stack([np.ones_like(lengths), scores, lengths, scores * lengths], axis=1)
    shares = np.where(own, 0.5 / own.sum(), 0.5 / (~own).sum())
    signs = np.where(own, -1.0, 1.0)

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margins = signs * (inputs @ weights)
        slopes = 1.0 / (1.0 + np.exp(-margins))
        return float(shares @ np.logaddexp(0.0, margins)), (shares * slopes * signs) @ inputs

    found = scipy.optimize.minimize(loss, np.zeros(4), jac=True, method="BFGS").x
    constant, by_score, by_length, by_both = map(float, found)
    return constant, by_score, by_length, by_both


def show(trials: Trials) -> None:
    """Equal error rates by length and channel."""
    for low, high in ((0.35, 0.8), (0.8, 1.3), (1.3, 2.2), (2.2, 5.0)):
        for clean in (True, False):
            chosen = (trials.speech_s >= low) & (trials.speech_s < high) & (trials.clean == clean)
            own, others = trials.scores[chosen & trials.own], trials.scores[chosen & ~trials.own]
            rate = 100.0 * error_curve(own, others).equal_error_rate
            count = int(trials.own[chosen].sum())
            said = "clean" if clean else "changed"
            print(f"{low:4.2f} to {high:4.2f} s, enrolled {said:8}: {rate:5.2f} % of {count} own")


def main() -> None:
    """Train, print what the folds say, write the numbers."""
    parser = argparse.ArgumentParser(description="Train the embedded speaker embedding.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of clips, one of each speaker")
    parser.add_argument("--out", type=Path, default=OUT, help="file for the numbers")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    began = time.monotonic()
    clips = read_clips(given.data)
    pieces = cut_pieces(clips, given.seed, given.workers)
    print(f"{len(clips)} speakers, {len(pieces)} pieces, {time.monotonic() - began:.0f} s")
    cepstra = np.concatenate([piece.analysis.cepstra[piece.analysis.speech] for piece in pieces])
    mixture = train_mixture(cepstra[rng.choice(len(cepstra), min(MIXTURE_STEPS, len(cepstra)), replace=False)], rng)
    usual_pitch = usual_pitch_of(pieces)
    statistics: list[Statistics] = [statistics_of(mixture, piece.analysis) for piece in pieces]
    vectors = np.array([supervector(mixture, usual_pitch, each) for each in statistics])
    print(f"mixture and supervectors, {time.monotonic() - began:.0f} s")
    mean, principal = train_principal(vectors)
    reduced = reduce(vectors, mean, principal)
    trials = trials_of_folds(reduced, pieces, rng)
    show(trials)
    weights = calibrate(trials)
    print(f"calibration {weights}, {time.monotonic() - began:.0f} s")
    speakers = np.array([piece.speaker for piece in pieces])
    discriminants, middle = train_discriminants(reduced, speakers)
    embedded = unit(reduced @ discriminants - middle)
    projection = np.concatenate([principal @ discriminants[:PRINCIPAL], discriminants[PRINCIPAL:]]).T
    offset = projection[:, :-2] @ mean + middle
    centres = centres_of(embedded, speakers)
    model = SpeakerModel(mixture, usual_pitch, projection, offset, centres, weights)
    model.save(given.out)
    print(f"{given.out}, {given.out.stat().st_size} bytes, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
