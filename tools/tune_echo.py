"""Print what the limits of an echo among words do: how many echoes stay, and how many words of the wearer go.

    python tools/tune_echo.py

On the calls for tuning (``bench/calls.py``), without the canceller, so that there are echoes to be found: they are
heard once, and compared with each limit in turn, all others as they are shipped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.calls import TUNING, Call, calls
from bench.hearing.call import Heard, count, hear, listen, microphone, own_voice, without_echo
from sottovoce.assistant.echoed import EchoLimits
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.evaluation.words import spoken_words

CURVES: dict[str, Sequence[float]] = {
    "apart_s": (0.5, 1.0, 1.5, 2.0, 3.0),
    "alike": (0.5, 0.6, 0.7, 0.8, 1.0),
    "least": (2, 3, 4, 5),
    "misheard": (0, 1, 2, 3, 4),
    "mostly": (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
    "besides": (2, 3, 4, 6),
}


def main() -> int:
    """Hear all calls, and print a curve for each limit."""
    made = calls(TUNING)
    if not made:
        print("no recordings: set SOTTOVOCE_SHARED to a folder with data/speech in it", file=sys.stderr)
        return 1
    recognizer = PocketsphinxRecognizer()
    recognizer.warm()
    leaking = [hear(recognizer, call, microphone) for call in made]
    clean = [hear(recognizer, call, own_voice) for call in made]
    played = [listen(recognizer, call.far) for call in made]
    recognizer.close()
    shipped = EchoLimits()
    print(f"{'limit':<10}{'value':>7}{'echoes left':>13}{'words lost':>12}   (% of the other's words, of the wearer's)")
    for name, values in CURVES.items():
        for value in values:
            limits = replace(shipped, **{name: value})
            left, lost = judged(made, leaking, clean, played, limits)
            mark = "  shipped" if value == getattr(shipped, name) else ""
            print(f"{name:<10}{value:>7g}{left:>12.1f}%{lost:>11.1f}%{mark}", flush=True)
    return 0


def judged(
    made: Sequence[Call],
    leaking: Sequence[Sequence[Heard]],
    clean: Sequence[Sequence[Heard]],
    played: Sequence[Sequence[Heard]],
    limits: EchoLimits,
) -> tuple[float, float]:
    """Echoes that stay, in percent of the other one's words; words of the wearer alone that go, in percent."""
    duplicates = words = said = lost = 0
    for call, heard, own, far in zip(made, leaking, clean, played, strict=True):
        counted = count(call, without_echo(heard, far, limits))
        duplicates, words = duplicates + counted.duplicates, words + counted.far_words
        said += sum(len(spoken_words(each.text)) for each in own)
        lost += sum(len(spoken_words(each.text)) for each in own)
        lost -= sum(len(spoken_words(each.text)) for each in without_echo(own, far, limits))
    return 100.0 * duplicates / words, 100.0 * lost / said


if __name__ == "__main__":
    sys.exit(main())
