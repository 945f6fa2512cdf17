"""A call: another person's voice leaks from the loudspeaker into the microphone while the wearer speaks over it.

Calls are made by ``bench/calls.py`` of ``libri_test_other``: the canceller was chosen, and its blend tuned, on those of
the speakers 1688 and 2033 (their rooms, too, are others); here are 2609, 3080 and 3331, each in turn
the wearer, with all sentences of theirs that take at most 9 s, and half of them enrolled for the calls with the other
half. The echo lags by 30, 120 or 250 ms behind the loopback, is 12 or 6 dB weaker than the wearer or as loud, and comes
from a small loudspeaker that bends it. The other one hardly ever stops: nearly all that the wearer says is double talk,
and the canceller learns in the same call.

Both ears are heard as in a session: canceller, high-pass, gain, segments, pocketsphinx without any question expected.

``echo_duplicates_pct``: of 100 words that the other one says, those that the microphone gives again: how many more are
counted (``_counted``) than with no echo in the microphone (``_chance``), where common words that the recogniser has
misheard look like the other one's. Where an utterance of the microphone lies in no sentence of the wearer, every word
of it counts, whatever it is; in others, words that are not the wearer's (no part of the best alignment with what they
said) and that the other one said just then, in that order. Whose voice the utterance was taken for makes no difference
here. ``_uncut``: with the canceller, without comparing the transcripts; ``_off``: without either, the control.

``doubletalk_wer_increase_pct``: word errors of the wearer's sentences with echo and canceller less those of the same
sentences with neither, in 100 words that were said (points of word error rate, not a share of it: pocketsphinx has 60 %
of free speech wrong to begin with). ``_lost_pct``: of the words that are right without echo, those that are not with
it. ``_off``: without the canceller; ``_idle``: with it and no echo, as with an earpiece, what it costs in vain.
``call_own_pct``: utterances of the wearer that are taken for theirs; ``call_own_clean_pct`` without echo.

``_low`` and ``_high`` are ends of 95 % intervals: whole calls are drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.calls import RATE, TESTING, Call, Said, calls
from sottovoce.assistant import echoed
from sottovoce.core.cancel import CancelToken
from sottovoce.core.paired import PairedBlock
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer
from sottovoce.speech.conditioner import AutomaticGain, HighPass
from sottovoce.speech.echo.ears import EarCleaner
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.evaluation.intervals import bootstrap
from sottovoce.speech.evaluation.words import WordErrors, spoken_words, word_errors
from sottovoce.speech.registry import describe, open_canceller
from sottovoce.speech.segmenter import Segment, Segmenter
from sottovoce.speech.vad import open_vad
from sottovoce.speech.wearer.verifier import EnrolledVoice

TARGETS = {"echo_duplicates_pct": ("<=", 2.0), "doubletalk_wer_increase_pct": ("<=", 10.0)}

CANCELLER = "blend"

#: As a session reads its microphone: a block of the detector.
BLOCK = 512

#: An utterance belongs to a sentence that it shares so much (s) with.
_SHARED_S = 0.3
#: How much later than it was said a word may come out of the loudspeaker and the segmenter.
_LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance of one ear; ``log_odds`` that it is the wearer's, None where too little was heard."""

    text: str
    start_s: float
    end_s: float
    log_odds: float | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A call, as one way of listening has heard it.

    Attributes
    ----------
    duplicates, far_words : int
        Words of the other one that the microphone gave, of those that were said.
    errors : WordErrors
        Of what the wearer said.
    right : tuple of str
        The wearer's words that were understood, each with its place.
    own, of_wearer : int
        Utterances in sentences of the wearer that are taken for theirs, of all of them.
    """

    duplicates: int
    far_words: int
    errors: WordErrors
    right: frozenset[tuple[int, int]]
    own: int
    of_wearer: int


Clean = Callable[[Call], Mono]


def run(quick: bool) -> dict[str, float]:
    """Measure; nothing without the recordings, or the canceller."""
    if describe("aec", CANCELLER).missing:
        return {}
    made = calls(TESTING)[:: 5 if quick else 1]
    if not made:
        return {}
    with_recognizer = PocketsphinxRecognizer()
    with_recognizer.warm()
    listened = {
        name: [hear(with_recognizer, call, clean) for call in made]
        for name, clean in {"clean": own_voice, "cancelled": cancelled, "off": microphone, "idle": idle}.items()
    }
    far = [listen(with_recognizer, call.far) for call in made]
    with_recognizer.close()
    return figures(made, listened, far)


def figures(
    made: Sequence[Call], listened: dict[str, list[list[Heard]]], far: Sequence[Sequence[Heard]]
) -> dict[str, float]:
    """All figures of what was heard."""

    def counted(name: str, *, compared: bool) -> list[Counted]:
        pairs = zip(listened[name], far, made, strict=True)
        return [count(call, without_echo(heard, played) if compared else heard) for heard, played, call in pairs]

    clean, kept = counted("clean", compared=False), counted("cancelled", compared=True)
    off, uncut = counted("off", compared=False), counted("cancelled", compared=False)
    idle_ = counted("idle", compared=True)
    found = {
        **_duplicates("echo_duplicates", clean, kept),
        **_duplicates("echo_duplicates_uncut", clean, uncut),
        **_duplicates("echo_duplicates_off_compared", clean, counted("off", compared=True)),
        **_duplicates("echo_duplicates_off", clean, off),
        "echo_duplicates_counted_pct": _share(kept),
        "echo_duplicates_chance_pct": _share(clean),
        **_increase("doubletalk_wer_increase", clean, kept),
        **_increase("doubletalk_wer_increase_off", clean, off),
        **_increase("doubletalk_wer_increase_idle", clean, idle_),
        **_lost("doubletalk_lost", clean, kept),
        **_lost("doubletalk_lost_off", clean, off),
    }
    for name, those in {"clean": clean, "": kept, "off": off}.items():
        suffix = f"_{name}" if name else ""
        errors = sum((each.errors for each in those), WordErrors())
        found[f"doubletalk_wer{suffix}_pct"] = 100.0 * errors.wrong / errors.said
        found[f"call_own{suffix}_pct"] = 100.0 * sum(c.own for c in those) / max(1, sum(c.of_wearer for c in those))
    return found | {
        "call_trials": float(len(made)),
        "call_sentences": float(sum(len(call.near_said) for call in made)),
        "call_length_s": sum(call.length_s for call in made),
    }


def own_voice(call: Call) -> Mono:
    """No loudspeaker, and no canceller."""
    return call.own


def microphone(call: Call) -> Mono:
    """Echo, and no canceller: the control."""
    return call.microphone


def cancelled(call: Call) -> Mono:
    """Echo and canceller."""
    return without_far(call.microphone, call.far)


def idle(call: Call) -> Mono:
    """Canceller, and no echo."""
    return without_far(call.own, call.far)


def without_far(near: Mono, far: Mono) -> Mono:
    """What the canceller of a session makes of a microphone, block by block."""
    cleaner = EarCleaner(lambda: open_canceller(CANCELLER))
    out = []
    for at in range(0, len(near), BLOCK):
        heard, played = near[at : at + BLOCK], far[at : at + BLOCK]
        out.append(cleaner.process(PairedBlock(at, heard, played, np.zeros_like(played))).microphone)
    cleaner.close()
    return np.concatenate(out)


def hear(recognizer: Recognizer, call: Call, clean: Clean) -> list[Heard]:
    """The utterances of a microphone, with whose voice they are."""
    embedder = BuiltinEmbedder()
    vectors = [found.vector for one in call.enrolled if (found := embedder.embed(one.audio)) is not None]
    voice = EnrolledVoice(np.array(vectors), embedder)

    def log_odds(audio: Mono) -> float | None:
        found = embedder.embed(audio)
        return None if found is None else voice.log_odds(found)

    return listen(recognizer, clean(call), log_odds)


def listen(
    recognizer: Recognizer, audio: Mono, log_odds: Callable[[Mono], float | None] = lambda audio: None
) -> list[Heard]:
    """The utterances of an ear."""
    heard = []
    for segment in segments(audio):
        text = recognizer.transcribe(segment.audio, CancelToken()).text
        heard.append(Heard(text, segment.start_s, segment.end_s, log_odds(segment.audio)))
    return heard


def segments(audio: Mono) -> list[Segment]:
    """What a session takes for speech."""
    high_pass, gain, segmenter = HighPass(RATE), AutomaticGain(RATE), Segmenter(open_vad("auto"))
    events = []
    for at in range(0, len(audio), BLOCK):
        events += segmenter.feed(gain.process(high_pass.process(audio[at : at + BLOCK])))
    return [event for event in [*events, *segmenter.flush()] if isinstance(event, Segment)]


def without_echo(
    heard: Sequence[Heard], played: Sequence[Heard], limits: echoed.EchoLimits | None = None
) -> list[Heard]:
    """What is left once both transcripts have been compared."""
    known = [_said(each) for each in played]
    return [replace(each, text=echoed.without_echo(_said(each), known, limits).text) for each in heard]


def _said(heard: Heard) -> echoed.Said:
    return echoed.Said(heard.text, heard.start_s, heard.end_s)


def count(call: Call, heard: Sequence[Heard]) -> Counted:
    """Words of a call by what became of them."""
    duplicates, own, of_wearer = 0, 0, 0
    texts: list[str] = []
    for each in heard:
        near = [said for said in call.near_said if _shared_s(said, each) > _SHARED_S]
        far = [said for said in call.far_said if _shared_s(said, each, _LATE_S) > _SHARED_S]
        words = spoken_words(each.text)
        if near:
            texts.append(each.text)
            duplicates += _in_order(_besides(words, _words(near)), _words(far))
            of_wearer += each.log_odds is not None
            own += each.log_odds is not None and each.log_odds > 0.0
        elif far:
            duplicates += len(words)
    said = " ".join(each.words for each in call.near_said)
    return Counted(
        duplicates,
        sum(len(spoken_words(each.words)) for each in call.far_said),
        word_errors(said, " ".join(texts)),
        frozenset(_matches(spoken_words(said), spoken_words(" ".join(texts)))),
        own,
        of_wearer,
    )


def _shared_s(said: Said, heard: Heard, late_s: float = 0.0) -> float:
    return min(said.end_s + late_s, heard.end_s) - max(said.start_s, heard.start_s)


def _words(said: Sequence[Said]) -> list[str]:
    return [word for each in said for word in spoken_words(each.words)]


def _matches(said: Sequence[str], heard: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of places at which the best alignment has the same word."""
    from rapidfuzz.distance import Levenshtein

    for block in Levenshtein.opcodes(said, heard):
        if block.tag == "equal":
            yield from zip(range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True)


def _besides(heard: Sequence[str], near: Sequence[str]) -> list[str]:
    """Words that are no part of what the wearer said."""
    own = {place for _, place in _matches(near, heard)}
    return [word for place, word in enumerate(heard) if place not in own]


def _in_order(heard: Sequence[str], far: Sequence[str]) -> int:
    """How many of the words the other one said, in that order."""
    from rapidfuzz.distance import LCSseq

    return int(LCSseq.similarity(heard, far))


def _share(those: Sequence[Counted]) -> float:
    return 100.0 * sum(each.duplicates for each in those) / sum(each.far_words for each in those)


def _duplicates(name: str, without: Sequence[Counted], those: Sequence[Counted]) -> dict[str, float]:
    parts = [
        (float(each.duplicates - chance.duplicates), float(each.far_words))
        for chance, each in zip(without, those, strict=True)
    ]
    low, high = bootstrap(parts)
    return {
        f"{name}_pct": _share(those) - _share(without),
        f"{name}_low_pct": 100.0 * low,
        f"{name}_high_pct": 100.0 * high,
        f"{name}_words": sum(words for _, words in parts),
    }


def _increase(name: str, before: Sequence[Counted], after: Sequence[Counted]) -> dict[str, float]:
    pairs = [(b.errors, a.errors) for b, a in zip(before, after, strict=True)]
    parts = [(float(a.wrong - b.wrong), float(b.said)) for b, a in pairs]
    low, high = bootstrap(parts)
    return {
        f"{name}_pct": 100.0 * sum(more for more, _ in parts) / sum(said for _, said in parts),
        f"{name}_low_pct": 100.0 * low,
        f"{name}_high_pct": 100.0 * high,
    }


def _lost(name: str, before: Sequence[Counted], after: Sequence[Counted]) -> dict[str, float]:
    parts = []
    for b, a in zip(before, after, strict=True):
        right = {place for place, _ in b.right}
        parts.append((float(len(right - {place for place, _ in a.right})), float(len(right))))
    low, high = bootstrap(parts)
    return {
        f"{name}_pct": 100.0 * sum(lost for lost, _ in parts) / sum(right for _, right in parts),
        f"{name}_low_pct": 100.0 * low,
        f"{name}_high_pct": 100.0 * high,
        f"{name}_words": sum(right for _, right in parts),
    }
