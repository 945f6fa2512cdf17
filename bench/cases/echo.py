"""Echo cancellers of the registries on calls with double talk: how much echo is left, what it does to words, and time.

Calls of ``bench/calls.py``, those for tuning: by these one was chosen; what it does on others is in the case `hearing`.
``erle_db``: how much weaker the microphone is while only the other one speaks, from 3 s on (echo return loss
enhancement; median of the calls, and ``_worst``). ``wer_increase_pct``: as ``doubletalk_wer_increase_pct`` there,
without comparing transcripts, in points. ``us_per_10ms``: time of a block, median. Peers that do not search for the lag
(speex) get the reference delayed by the lag less 10 ms, as the session would give it.
"""

from __future__ import annotations

import time

import numpy as np

from bench.calls import RATE, TUNING, Call, calls, delayed
from bench.echo_peers import BLOCK, Cancel, peers
from bench.hearing.call import count, hear, own_voice
from sottovoce.core.types import Mono
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.evaluation.words import WordErrors

_LEARNT_S = 3.0


def run(quick: bool) -> dict[str, float]:
    """Measure all that are installed; nothing without the recordings."""
    made = calls(TUNING)[:: 3 if quick else 1]
    if not made:
        return {}
    recognizer = PocketsphinxRecognizer()
    recognizer.warm()
    clean = sum((count(call, hear(recognizer, call, own_voice)).errors for call in made), WordErrors())
    figures = {"wer_clean_pct": 100.0 * clean.wrong / clean.said}
    for name, make in peers():
        outs, times = [], []
        for call in made:
            out, us = _through(make(), call, aligned=name.startswith("speex"))
            outs.append(out)
            times += us
        erle = [_erle_db(call, out) for call, out in zip(made, outs, strict=True)]
        left = WordErrors()
        for call, out in zip(made, outs, strict=True):
            left += count(call, hear(recognizer, call, lambda _, out=out: out)).errors  # type: ignore[misc]
        figures |= {
            f"{name}_erle_db": float(np.median(erle)),
            f"{name}_erle_worst_db": min(erle),
            f"{name}_wer_increase_pct": 100.0 * (left.wrong - clean.wrong) / clean.said,
            f"{name}_us_per_10ms": float(np.median(times)),
        }
    recognizer.close()
    return figures


def _through(cancel: Cancel, call: Call, *, aligned: bool) -> tuple[Mono, list[float]]:
    near, far = call.microphone, delayed(call.far, call.delay_s - 0.01) if aligned else call.far
    out, us = [], []
    for at in range(0, len(near) - BLOCK + 1, BLOCK):
        before = time.perf_counter()
        out.append(cancel(near[at : at + BLOCK], far[at : at + BLOCK]))
        us.append(1e6 * (time.perf_counter() - before))
    return np.concatenate(out), us


def _erle_db(call: Call, out: Mono) -> float:
    """Of what is heard of the loudspeaker while the wearer is silent."""
    alone = [part for part in call.alone(call.far_said, call.near_said) if part.start >= _LEARNT_S * RATE]
    before = np.concatenate([call.microphone[part] for part in alone])
    after = np.concatenate([out[part] for part in alone])
    return 10.0 * float(np.log10(np.mean(np.square(before)) / max(float(np.mean(np.square(after))), 1e-12)))
