"""Make the numbers of the embedded speaker embedding: ``python tools/train_speaker.py [--data DIR] [--out FILE]``.

Trained on one clip of each of 251 speakers of LibriSpeech (train-clean-100; V. Panayotov, G. Chen, D. Povey and
S. Khudanpur, "LibriSpeech: an ASR corpus based on public domain audio books", ICASSP 2015; CC BY 4.0), cut into pieces
that are sent through microphones, rooms and noise of ``speech/embedding/_channels.py``. NumPy and SciPy (the extra
``bench``); some minutes on two cores; the same numbers at every run on one machine.

Nothing is tuned or tested on the speakers that the project tests with. What is printed at the end, and the calibration,
come from speakers left out of the discriminants in turn (4 folds): pieces of the first half of a clip are enrolled,
and pieces of the second half compared, as they are and in rooms by mirror images, of which no training piece is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.optimize
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.rooms import image_room
from sottovoce.speech.embedding._channels import CLEAN, Audio, Channel, draw_channel
from sottovoce.speech.embedding._frontend import MOVING, STILL, Floats, analyse
from sottovoce.speech.embedding._model import (
    Mixture,
    SpeakerModel,
    View,
    pitch_sums,
    pitch_vector,
    sums_of,
    supervector,
)
from sottovoce.speech.embedding.base import LEAST_SPEECH_S, Scoring, unit
from sottovoce.speech.evaluation.trials import error_curve

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "speaker_background"
OUT = ROOT / "src" / "engine" / "sottovoce" / "speech" / "embedding" / "builtin.npz"

SAMPLERATE = 16_000
#: Which of the cepstra each view looks at, and how many Gaussians it has.
VIEWS = ((STILL, 128), (MOVING, 64))
MIXTURE_STEPS = 120_000
MIXTURE_ROUNDS = 8
PRINCIPAL = 80
#: The discriminants are found between short pieces: what is said weighs most in those, and a microphone no less.
SHORT_S = 1.3
#: Share of the mean within-speaker variance that is added to each direction, so that none is trusted too much.
SHRINKAGE = 0.02
FOLDS = 4
#: Pieces to learn from: of the whole clip, long and short, and those that are enrolled, through channels.
LONG_PIECES, SHORT_PIECES, CHANGED_PIECES = 13, 26, 6
LONG_OCTAVES, SHORT_OCTAVES = (-0.5, 2.1), (-0.6, 0.6)
#: Every so many of the long and the short ones is as it was recorded.
CLEAN_EVERY = 5
#: What is enrolled, and what is compared: length (s) and number of the pieces as recorded, and in each of two rooms.
ENROLLED_PIECES, ENROLLED_S = 3, 3.0
HEARD = ((3.0, 2), (1.0, 3))
FAR = ((3.0, 1), (1.0, 2))
FAR_ROOMS, ROOMS_TO_TRY, SNR_DB = 2, 24, 15.0


@dataclass(frozen=True)
class Piece:
    """A part of a clip, after its channel: the speech in it."""

    speaker: int
    part: str  # "train"; "enrolled" (of the first half), "heard" or "far" (both of the second)
    cepstra: Floats
    pitch: Floats
    speech_s: float


def read_clips(folder: Path) -> list[Audio]:
    """Every clip, one of each speaker, in the order of their names."""
    return [soundfile.read(path, dtype="float32")[0] for path in sorted(folder.glob("*.flac"))]


#: Of a process that cuts them.
_CLIPS: list[Audio] = []
_ROOMS: list[Audio] = []


def cut_pieces(clips: list[Audio], seed: int, workers: int) -> list[Piece]:
    """Pieces of all clips, through channels; the same whatever the number of processes."""
    with ProcessPoolExecutor(workers, initializer=_prepare, initargs=(clips,)) as pool:
        jobs = pool.map(_pieces_of, range(len(clips)), repeat(seed), chunksize=8)
        shorts = pool.map(_short_pieces_of, range(len(clips)), repeat(seed), chunksize=8)
        return [piece for pieces in (*jobs, *shorts) for piece in pieces]


def _prepare(clips: list[Audio]) -> None:
    _CLIPS.extend(clips)
    rng = np.random.default_rng(99)
    _ROOMS.extend(_mirrors(rng) for _ in range(ROOMS_TO_TRY))


def _pieces_of(speaker: int, seed: int) -> list[Piece]:
    clips, rng = _CLIPS, np.random.default_rng([seed + 4, speaker])
    clip = clips[speaker]
    middle = int(0.55 * len(clip))
    first, second = clip[:middle], clip[middle:]
    pieces: list[Piece] = []
    starts = np.linspace(0, max(0, len(first) - ENROLLED_S * SAMPLERATE), ENROLLED_PIECES).astype(int)
    frames = int(ENROLLED_S * SAMPLERATE)
    for start in starts:
        _add(pieces, speaker, "enrolled", first[start : start + frames])
    room_to_move = max(0, len(first) - frames)
    for number in range(CHANGED_PIECES):
        start = (0, room_to_move // 2, room_to_move)[number % 3]
        _add(pieces, speaker, "train", draw_channel(rng)(first[start : start + frames], clips, rng))
    for number in range(LONG_PIECES):
        piece = _cut(clip if number % 2 else first if number % 4 else second, rng, octaves=LONG_OCTAVES)
        channel = CLEAN if number % CLEAN_EVERY == 0 else draw_channel(rng)
        _add(pieces, speaker, "train", channel(piece, clips, rng))
    for length_s, count in HEARD:
        for _ in range(count):
            _add(pieces, speaker, "heard", _cut(second, rng, length_s))
    for _ in range(FAR_ROOMS):
        far = _far(second, rng)
        for length_s, count in FAR:
            for _ in range(count):
                _add(pieces, speaker, "far", _cut(far, rng, length_s))
    return pieces


def _short_pieces_of(speaker: int, seed: int) -> list[Piece]:
    clips, rng = _CLIPS, np.random.default_rng([seed + 11, speaker])
    pieces: list[Piece] = []
    for number in range(SHORT_PIECES):
        piece = _cut(clips[speaker], rng, octaves=SHORT_OCTAVES)
        channel = CLEAN if number % CLEAN_EVERY == 0 else draw_channel(rng)
        _add(pieces, speaker, "train", channel(piece, clips, rng))
    return pieces


def _add(pieces: list[Piece], speaker: int, part: str, audio: Audio) -> None:
    analysis = analyse(audio)
    if analysis.speech_s >= LEAST_SPEECH_S:
        speech = analysis.speech
        pieces.append(Piece(speaker, part, analysis.cepstra[speech], analysis.pitch[speech], analysis.speech_s))


def _cut(
    audio: Audio, rng: np.random.Generator, length_s: float = 1.0, octaves: tuple[float, float] | None = None
) -> Audio:
    """A piece of a length, or of so many octaves above or below it."""
    factor = 1.0 if octaves is None else 2.0 ** rng.uniform(*octaves)
    frames = min(len(audio), int(length_s * factor * SAMPLERATE))
    start = int(rng.integers(0, len(audio) - frames + 1))
    return audio[start : start + frames]


def _mirrors(rng: np.random.Generator) -> Audio:
    """A room by mirror images, to try what was learnt with, and not to learn from."""
    size = (rng.uniform(2.6, 8.0), rng.uniform(2.4, 6.5), rng.uniform(2.3, 3.3))
    distance_m = 0.0
    while not 0.5 < distance_m < 2.0:
        source = [rng.uniform(0.5, side - 0.5) for side in size]
        ear = [rng.uniform(0.5, side - 0.5) for side in size]
        distance_m = float(np.linalg.norm(np.subtract(source, ear)))
    return image_room(size, tuple(source), tuple(ear), rng.uniform(0.72, 0.89), length_s=0.3)  # type: ignore[arg-type,return-value]


def _far(audio: Audio, rng: np.random.Generator) -> Audio:
    """The same in one of those rooms, through a microphone with a tilt, with coloured noise or voices."""
    room = _ROOMS[int(rng.integers(len(_ROOMS)))]
    tilt = rng.uniform(0.2, 0.5) * rng.choice([-1, 1])
    size = 1 << (len(audio) + len(room) - 1).bit_length()
    frequencies = np.maximum(np.fft.rfftfreq(size, 1.0 / SAMPLERATE), 60.0)
    spectrum = np.fft.rfft(audio, size) * np.fft.rfft(room, size) * (frequencies / 1000.0) ** tilt
    wet = np.fft.irfft(spectrum, size)[: len(audio)]
    of_voices = rng.integers(3) == 0
    noise = Channel(
        curve_db=np.zeros(8),
        room=np.ones(1, np.float32),
        band_hz=(20.0, 7990.0),
        snr_db=SNR_DB,
        noise_slope=float(rng.uniform(-2.0, 0.0)),
        voices=int(rng.integers(2, 6)) if of_voices else 0,
        clipped=1.0,
        gain_db=0.0,
    )
    return np.asarray(wet + noise.noise(wet, _CLIPS, rng), np.float32)


def train_mixture(cepstra: Floats, components: int, rng: np.random.Generator) -> Mixture:
    """Expectation and maximisation, from means that k-means has found."""
    means = cepstra[rng.choice(len(cepstra), components, replace=False)].copy()
    for _ in range(8):
        nearest = np.argmin((means**2).sum(axis=1) - 2.0 * cepstra @ means.T, axis=1)
        for component in range(components):
            members = cepstra[nearest == component]
            if len(members):
                means[component] = members.mean(axis=0)
    everything = cepstra.var(axis=0)
    mixture = Mixture(
        np.full(components, 1.0 / components, np.float32),
        means,
        np.tile(everything, (components, 1)).astype(np.float32),
    )
    for _ in range(MIXTURE_ROUNDS):
        shares = mixture.posteriors(cepstra)
        occupancy = shares.sum(axis=0)[:, None] + 1e-3
        means = shares.T @ cepstra / occupancy
        variances = np.maximum(shares.T @ cepstra**2 / occupancy - means**2, 0.02 * everything)
        mixture = Mixture((occupancy[:, 0] / occupancy.sum()).astype(np.float32), means, variances.astype(np.float32))
    return mixture


def usual_pitch_of(pieces: list[Piece]) -> Floats:
    """Mean of the speakers' mean log pitch, its deviation, and their mean spread; from pieces as they were recorded."""
    means, spreads = [], []
    found: dict[int, list[Floats]] = {}
    for piece in pieces:
        if piece.part == "enrolled":
            found.setdefault(piece.speaker, []).append(piece.pitch)
    for pitches in found.values():
        voiced = np.concatenate(pitches)
        voiced = voiced[np.isfinite(voiced)]
        if len(voiced) > 50:
            means.append(voiced.mean())
            spreads.append(voiced.std())
    return np.array([np.mean(means), np.std(means), np.mean(spreads)], np.float32)


def train_principal(vectors: Floats) -> tuple[Floats, Floats]:
    """Mean of the supervectors, and their principal axes, each over its deviation."""
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    size = centred.shape[1]
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    values, axes = scipy.linalg.eigh(covariance, subset_by_index=(size - PRINCIPAL, size - 1), overwrite_a=True)
    return mean, (axes / np.sqrt(values)).astype(np.float32)


def train_discriminants(reduced: Floats, speakers: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Where voices lie apart, the best directions first and in columns, and the mean in them."""
    size = reduced.shape[1]
    within = np.zeros((size, size))
    centres = []
    for speaker in np.unique(speakers):
        own = reduced[speakers == speaker].astype(np.float64)
        centres.append(own.mean(axis=0))
        within += (own - centres[-1]).T @ (own - centres[-1])
    within /= len(reduced)
    within += SHRINKAGE * np.trace(within) / size * np.eye(size)
    _, directions = scipy.linalg.eigh(np.cov(np.array(centres).T), within)
    discriminants = directions[:, ::-1][:, :PRINCIPAL].astype(np.float32)
    return discriminants, reduced.mean(axis=0) @ discriminants


@dataclass(frozen=True)
class Reduced:
    """All pieces in one view: principal components with the pitch behind them, and what leads there."""

    columns: npt.NDArray[np.intp]
    mixture: Mixture
    mean: Floats
    principal: Floats
    vectors: Floats

    def view(self, discriminants: Floats, middle: Floats) -> View:
        """From supervectors to discriminants in one matrix."""
        projection = np.concatenate([self.principal @ discriminants[:PRINCIPAL], discriminants[PRINCIPAL:]]).T
        return View(self.columns, self.mixture, projection, projection[:, :-2] @ self.mean + middle)


def reduce(
    columns: npt.NDArray[np.intp], components: int, pieces: list[Piece], pitch: Floats, rng: np.random.Generator
) -> Reduced:
    """Learn a mixture and principal axes from the pieces to learn from, and apply them to all."""
    learnt = np.array([piece.part == "train" for piece in pieces])
    steps = np.concatenate([piece.cepstra[:, columns] for piece in pieces if piece.part == "train"])
    chosen = steps[rng.choice(len(steps), min(MIXTURE_STEPS, len(steps)), replace=False)]
    mixture = train_mixture(chosen, components, rng)
    vectors = np.array([supervector(mixture, sums_of(mixture, piece.cepstra[:, columns])) for piece in pieces])
    mean, principal = train_principal(vectors[learnt])
    return Reduced(columns, mixture, mean, principal, np.concatenate([(vectors - mean) @ principal, pitch], axis=1))


def learn(
    views: Sequence[Reduced], pieces: list[Piece], among: npt.NDArray[np.bool_]
) -> tuple[list[tuple[Floats, Floats]], Floats, Floats]:
    """Discriminants of each view, the vectors of all pieces, and the middles of the speakers among those chosen."""
    speakers = np.array([piece.speaker for piece in pieces])
    learnt = among & np.array([piece.part == "train" for piece in pieces])
    short = learnt & np.array([piece.speech_s < SHORT_S for piece in pieces])
    found = [train_discriminants(view.vectors[short], speakers[short]) for view in views]
    parts = [
        unit(view.vectors @ discriminants - middle) for view, (discriminants, middle) in zip(views, found, strict=True)
    ]
    embedded = unit(np.concatenate(parts, axis=1))
    known = np.unique(speakers[learnt])
    cohort = np.array([unit(embedded[learnt & (speakers == speaker)].mean(axis=0)) for speaker in known])
    return found, embedded, cohort


@dataclass(frozen=True)
class Trials:
    """Comparisons of a piece with an enrolled voice."""

    scores: npt.NDArray[np.float64]
    speech_s: npt.NDArray[np.float64]
    own: npt.NDArray[np.bool_]
    far: npt.NDArray[np.bool_]


def trials_of_folds(views: Sequence[Reduced], pieces: list[Piece], rng: np.random.Generator) -> Trials:
    """Each speaker compared with all of its fold, by discriminants that know none of them."""
    speakers = np.array([piece.speaker for piece in pieces])
    parts = np.array([piece.part for piece in pieces])
    lengths = np.array([piece.speech_s for piece in pieces])
    fold_of = rng.permutation(speakers.max() + 1) % FOLDS
    rows = []
    for fold in range(FOLDS):
        known = fold_of[speakers] != fold
        _, embedded, cohort = learn(views, pieces, known)
        scoring = Scoring((0.0, 0.0, 0.0, 0.0), cohort)
        voices = np.unique(speakers[~known & (parts == "enrolled")])
        enrolled = np.array(
            [unit(embedded[(speakers == voice) & (parts == "enrolled")].mean(axis=0)) for voice in voices]
        )
        heard = np.flatnonzero(~known & np.isin(parts, ("heard", "far")))
        scores = scoring.scores(enrolled, embedded[heard])
        shape = scores.shape
        rows.append((
            scores,
            np.broadcast_to(lengths[heard], shape),
            voices[:, None] == speakers[heard],
            np.broadcast_to(parts[heard] == "far", shape),
        ))  # fmt: skip
    return Trials(*(np.concatenate([each.ravel() for each in column]) for column in zip(*rows, strict=True)))


def calibrate(trials: Trials) -> tuple[float, float, float, float]:
    """Logistic regression on score and length, own and other voices weighing the same."""
    scores, own, lengths = trials.scores, trials.own, np.log2(trials.speech_s)
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
        for far in (False, True):
            chosen = (trials.speech_s >= low) & (trials.speech_s < high) & (trials.far == far)
            own, others = trials.scores[chosen & trials.own], trials.scores[chosen & ~trials.own]
            said = "in another room" if far else "as enrolled"
            rate = 100.0 * error_curve(own, others).equal_error_rate
            print(f"{low:4.2f} to {high:4.2f} s, {said:15}: {rate:5.2f} % of {len(own)} own")


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
    usual_pitch = usual_pitch_of(pieces)
    pitch = np.array([pitch_vector(usual_pitch, pitch_sums(piece.pitch)) for piece in pieces])
    reduced = [reduce(columns, components, pieces, pitch, rng) for columns, components in VIEWS]
    print(f"mixtures and principal axes, {time.monotonic() - began:.0f} s")
    trials = trials_of_folds(reduced, pieces, rng)
    show(trials)
    weights = calibrate(trials)
    print(f"calibration {weights}, {time.monotonic() - began:.0f} s")
    found, _, cohort = learn(reduced, pieces, np.ones(len(pieces), bool))
    views = tuple(view.view(*discriminants) for view, discriminants in zip(reduced, found, strict=True))
    SpeakerModel(views, usual_pitch, cohort, weights).save(given.out)
    print(f"{given.out}, {given.out.stat().st_size} bytes, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
