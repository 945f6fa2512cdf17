"""How words are pronounced that a dictionary lacks: espeak-ng says it in IPA, recognisers want ARPAbet."""

from __future__ import annotations

from collections.abc import Iterable

# IPA as espeak-ng writes American English -> the 39 phones of the CMU dictionary. Longest match first, so that
# "tʃ" is not taken for "t" and "ʃ".
_PHONES = {
    "tʃ": "CH", "dʒ": "JH", "iː": "IY", "uː": "UW", "ɑː": "AA", "ɔː": "AO", "oː": "AO", "ɜː": "ER", "ɛː": "EH",
    "eɪ": "EY", "aɪ": "AY", "ɔɪ": "OY", "oʊ": "OW", "aʊ": "AW", "iə": "IY AH", "əl": "AH L",
    "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "e": "EH", "ɛ": "EH", "æ": "AE", "a": "AA", "ɐ": "AH", "ʌ": "AH",
    "ə": "AH", "ɚ": "ER", "ɝ": "ER", "ɜ": "ER", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "o": "AO", "ʊ": "UH", "u": "UW",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "m": "M", "n": "N", "ŋ": "NG", "f": "F",
    "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "l": "L", "ɫ": "L",
    "ɹ": "R", "r": "R", "j": "Y", "w": "W", "ʍ": "W", "ɾ": "T", "ʔ": "T", "x": "K", "ɬ": "L", "ɲ": "N Y", "y": "UW",
}  # fmt: skip
_LONGEST = max(map(len, _PHONES))


def arpabet(symbols: Iterable[str]) -> str:
    """IPA symbols as ARPAbet phones with spaces between; what English does not have is left out.

    Examples
    --------
    >>> arpabet(("l", "ɪ", "m", "ɪ", "ɾ", "ɚ"))
    'L IH M IH T ER'
    """
    phones: list[str] = []
    for symbol in symbols:
        at = 0
        while at < len(symbol):
            length = next((n for n in range(_LONGEST, 0, -1) if symbol[at : at + n] in _PHONES), 0)
            if length:
                phones.append(_PHONES[symbol[at : at + length]])
            at += length or 1
    return " ".join(phones)
