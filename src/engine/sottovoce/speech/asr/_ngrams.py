"""A small n-gram language model of a few phrases, as an ARPA file."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

START, END = "<s>", "</s>"

_Gram = tuple[str, ...]


def write_arpa(
    path: Path,
    phrases: Iterable[Sequence[str]],
    *,
    order: int = 3,
    backoff: float = 0.1,
) -> None:
    """Write the model of ``phrases`` to ``path``.

    Probabilities are interpolated with a fixed share (Jelinek and Mercer, 1980):
    ``p(w | h) = (1 - backoff) c(h w) / c(h) + backoff p(w | shorter h)``. With a handful of phrases, each seen once,
    estimated discounts would mean nothing.

    Parameters
    ----------
    path : Path
        Written as UTF-8.
    phrases : iterable of sequences of str
        Words; empty phrases are left out.
    order : int
        Longest n-gram, at least 2.
    backoff : float
        Share of the shorter history, more than 0 and less than 1.

    Raises
    ------
    ValueError
        There is not a single word.
    """
    counts: list[Counter[_Gram]] = [Counter() for _ in range(order)]
    for phrase in phrases:
        if not phrase:
            continue
        words = (START, *phrase, END)
        for n in range(1, order + 1):
            counts[n - 1].update(words[at : at + n] for at in range(len(words) - n + 1))
    if not counts[0]:
        raise ValueError("phrases hold no word")
    probabilities = [_unigrams(counts[0])]
    for n in range(2, order + 1):
        probabilities.append(_ngrams(counts[n - 1], probabilities[-1], backoff))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in _lines(probabilities, backoff))


def _unigrams(counts: Counter[_Gram]) -> dict[_Gram, float]:
    total = sum(counts.values()) - counts[(START,)]
    return {gram: count / total for gram, count in counts.items() if gram != (START,)} | {(START,): 0.0}


def _ngrams(counts: Counter[_Gram], shorter: Mapping[_Gram, float], backoff: float) -> dict[_Gram, float]:
    histories: defaultdict[_Gram, int] = defaultdict(int)
    for gram, count in counts.items():
        histories[gram[:-1]] += count
    return {
        gram: (1.0 - backoff) * count / histories[gram[:-1]] + backoff * shorter[gram[1:]]
        for gram, count in counts.items()
    }


def _lines(probabilities: Sequence[Mapping[_Gram, float]], backoff: float) -> Iterable[str]:
    yield "\\data\\"
    for n, grams in enumerate(probabilities, 1):
        yield f"ngram {n}={len(grams)}"
    log_backoff = f"\t{_log10(backoff):.4f}"
    for n, grams in enumerate(probabilities, 1):
        longer = {gram[:-1] for gram in probabilities[n]} if n < len(probabilities) else set()
        yield f"\n\\{n}-grams:"
        for gram in sorted(grams):
            yield f"{_log10(grams[gram]):.4f}\t{' '.join(gram)}" + (log_backoff if gram in longer else "")
    yield "\n\\end\\"


def _log10(probability: float) -> float:
    return math.log10(probability) if probability > 0.0 else -99.0
