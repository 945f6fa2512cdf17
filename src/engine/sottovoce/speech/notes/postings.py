"""Which notes hold a term, and how much that is worth: BM25 with every worth found beforehand."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

# Robertson and Zaragoza (2009), section 3.5: the usual values.
_K1 = 1.2
_B = 0.75


class Postings:
    """An inverted index over one kind of terms, in memory.

    Parameters
    ----------
    documents : iterable of mappings
        Of each note, how often each term is in it; a fraction where a term counts less.

    Notes
    -----
    Eight bytes for each different term of each note. A search adds up the worth of a few terms, and takes time in
    proportion to how many notes hold them.
    """

    def __init__(self, documents: Iterable[Mapping[str, float]]) -> None:
        ids: dict[str, int] = {}
        terms, rows, counts, lengths = array("i"), array("i"), array("f"), array("f")
        for row, document in enumerate(documents):
            for term, count in document.items():
                terms.append(ids.setdefault(term, len(ids)))
                rows.append(row)
                counts.append(count)
            lengths.append(sum(document.values()))
        self._ids = ids
        self._size = len(lengths)
        column = np.frombuffer(terms, np.int32) if terms else np.zeros(0, np.int32)
        order = np.argsort(column, kind="stable")
        self._rows = np.frombuffer(rows, np.int32)[order] if rows else column
        frequency = np.bincount(column, minlength=len(ids))
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(frequency)])
        self._rarity = np.log1p((self._size - frequency + 0.5) / (frequency + 0.5))
        self._worth = np.zeros(0, np.float32)
        if self._size:
            each = np.frombuffer(counts, np.float32)[order] if counts else np.zeros(0, np.float32)
            length = np.frombuffer(lengths, np.float32)
            relative = length / max(1e-9, float(length.mean()))
            damped = each * (_K1 + 1.0) / (each + _K1 * (1.0 - _B + _B * relative[self._rows]))
            self._worth = (damped * self._rarity[column[order]]).astype(np.float32)

    def __contains__(self, term: str) -> bool:
        return term in self._ids

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, without the terms themselves."""
        return int(self._rows.nbytes + self._worth.nbytes + self._starts.nbytes + self._rarity.nbytes)

    def rarity(self, term: str) -> float:
        """How much it says that a note holds the term: its inverse document frequency, above 0.

        A term that no note holds is as rare as can be.
        """
        place = self._ids.get(term)
        return float(self._rarity[place]) if place is not None else float(np.log1p((self._size + 0.5) / 0.5))

    def scores(self, terms: Iterable[str]) -> NDArray[np.float32]:
        """Of each note, what it is worth for these terms, as a part of what all of them could be worth: 0 to about 1.

        A term that is given several times counts as often.
        """
        total = np.zeros(self._size, np.float32)
        possible = 0.0
        for term, count in Counter(terms).items():
            possible += count * self.rarity(term)
            place = self._ids.get(term)
            if place is not None:
                span = slice(self._starts[place], self._starts[place + 1])
                total[self._rows[span]] += count * self._worth[span]
        return total / possible if possible else total
