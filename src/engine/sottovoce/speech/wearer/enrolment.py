"""From a recording to a voice profile: is it loud, clean and long enough, and is it one voice?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from sottovoce.core.errors import ProfileError
from sottovoce.core.types import Mono
from sottovoce.core.units import gain_to_db
from sottovoce.speech.embedding._channels import draw_channel
from sottovoce.speech.embedding._frontend import HOP_FRAMES, HOP_S, SAMPLERATE, speech_steps
from sottovoce.speech.embedding.base import Embedder, Vector, Vectors, unit
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.microphone import FaultKind, MicrophoneCheck
from sottovoce.speech.wearer.profile import VoiceProfile

EnrolmentFault: TypeAlias = FaultKind | Literal["silent", "quiet", "short", "noise", "music", "voices"]

#: Speech (s) that a profile is made of: asked for, and the least.
WANTED_SPEECH_S, LEAST_SPEECH_S = 20.0, 8.0
#: Speech (s) of one clip; a profile holds a vector of each.
CLIP_SPEECH_S = 4.0

SILENT_DBFS, QUIET_DBFS = -60.0, -42.0
#: Share of samples at a flat top: said, and refused.
_CLIPPED, _CLIPPED_BADLY = 0.0003, 0.01
#: Loud steps over quiet ones (dB): said, and refused.
_NOISY_DB, _TOO_NOISY_DB = 20.0, 10.0
#: Deviation of the level of loud steps (dB): speech has 5 to 8, music and noise 0 to 3.
_EVEN_DB = 4.0
#: Less (s) may well be even: one vowel.
_JUDGED_S = 2.0
#: Log-odds that two groups of pieces are of one voice, below which they are of two: readers have 5 and more, pairs of
#: them less than 1.
ONE_VOICE_LOG_ODDS = 3.0
_PIECE_HOP_S, _PIECE_HOPS = 1.0, 3
_CHANNEL_SEED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a recording that is not as it should be.

    Attributes
    ----------
    fault : EnrolmentFault
        What.
    fatal : bool
        Whether no profile can be made of it.
    said : str
        What was found, with its value.
    advice : str
        What to do about it.
    """

    fault: EnrolmentFault
    fatal: bool
    said: str
    advice: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A recording, looked at.

    Attributes
    ----------
    audio : Mono
        With what could be mended mended: no offset.
    speech_s, level_dbfs, snr_db : float
        Seconds of speech, its RMS level, and how far its loud steps stand above the quiet ones.
    findings : tuple of Finding
        Empty if all is well.
    """

    audio: Mono
    speech_s: float
    level_dbfs: float
    snr_db: float
    findings: tuple[Finding, ...]

    @property
    def fatal(self) -> tuple[Finding, ...]:
        """What keeps it from being enrolled."""
        return tuple(finding for finding in self.findings if finding.fatal)


def examine(audio: Mono, embedder: BuiltinEmbedder | None = None) -> Examined:
    """Look at a recording at :data:`SAMPLERATE`, shape (frames,).

    Parameters
    ----------
    audio : Mono
        What was said, with its pauses.
    embedder : BuiltinEmbedder, optional
        Used to hear whether it is one voice, and a voice at all.
    """
    embedder = embedder or BuiltinEmbedder()
    audio = np.nan_to_num(np.asarray(audio, np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    offset = float(audio.mean()) if len(audio) else 0.0
    as_heard = audio
    audio = audio - np.float32(offset)
    speech, steps_db = speech_steps(audio)
    speech_s = float(np.count_nonzero(speech)) * HOP_S
    level_dbfs = _level_dbfs(audio, speech)
    if level_dbfs < SILENT_DBFS:
        said = f"there is next to no sound: {level_dbfs:.0f} dBFS" if len(audio) else "there is no sound at all"
        silent = Finding("silent", True, said, "choose another microphone (audio.input), or unmute this one")
        return Examined(audio, 0.0, level_dbfs, 0.0, (silent,))
    loud, quiet = np.percentile(steps_db, (95, 5))
    snr_db = float(loud - quiet)
    findings = [
        *_level_findings(level_dbfs, _flat_share(as_heard)),
        *_microphone_findings(as_heard),
        *_noise_findings(snr_db),
        *_voice_findings(audio, speech, steps_db, embedder),
    ]
    return Examined(audio, speech_s, level_dbfs, snr_db, tuple(findings))


def make_profile(name: str, examined: Examined, embedders: Sequence[Embedder], now: datetime) -> VoiceProfile:
    """A profile of what was examined, with vectors of every embedder.

    Raises
    ------
    ProfileError
        Something keeps it from being enrolled; all of that is named.
    """
    if examined.fatal:
        raise ProfileError(
            "; ".join(finding.said for finding in examined.fatal),
            path=Path(name),
            hint="; ".join(dict.fromkeys(finding.advice for finding in examined.fatal)),
        )
    clips = cut_clips(examined.audio)
    voices = {embedder.model: clip_vectors(clips, embedder) for embedder in embedders}
    return VoiceProfile(name, now, now, examined.speech_s, voices)


def clip_vectors(clips: Sequence[Mono], embedder: Embedder) -> Vectors:
    """Vectors of the clips of a voice as they are, and as they would be in another room through another microphone.

    So that a voice is known where it was not enrolled, too; always the same rooms and microphones, made of random
    numbers.
    """
    rng = np.random.default_rng(_CHANNEL_SEED)
    heard = [*clips, *(draw_channel(rng, voices=False)(clip, (), rng) for clip in clips if len(clip))]
    found = [embedding.vector for clip in heard if (embedding := embedder.embed(clip)) is not None]
    return np.array(found, np.float32)


def cut_clips(audio: Mono) -> list[Mono]:
    """Pieces with about :data:`CLIP_SPEECH_S` of speech each."""
    speech, _ = speech_steps(audio)
    so_far = np.cumsum(speech) * HOP_S
    total = float(so_far[-1]) if len(so_far) else 0.0
    count = max(1, int(total / CLIP_SPEECH_S))
    cuts = [int(np.searchsorted(so_far, total * number / count)) * HOP_FRAMES for number in range(1, count)]
    return [audio[start:end] for start, end in pairwise([0, *cuts, len(audio)])]


def speech_seconds(audio: Mono) -> float:
    """Seconds of speech in what may well be silence."""
    speech, _ = speech_steps(audio)
    return float(np.count_nonzero(speech)) * HOP_S if _level_dbfs(audio, speech) >= SILENT_DBFS else 0.0


def _level_dbfs(audio: Mono, speech: npt.NDArray[np.bool_]) -> float:
    steps = audio[: len(speech) * HOP_FRAMES].reshape(-1, HOP_FRAMES)[speech[: len(audio) // HOP_FRAMES]]
    return gain_to_db(float(np.sqrt(np.mean(np.square(steps))))) if steps.size else gain_to_db(0.0)


def _flat_share(audio: Mono) -> float:
    """Share of the samples that lie in a row of three or more at the very top, above or below."""
    share = 0.0
    for top in (float(audio.max()), -float(audio.min())):
        at_top = (audio if top == float(audio.max()) else -audio) >= 0.999 * top
        inner = at_top[1:-1] & at_top[:-2] & at_top[2:]
        share += float(np.count_nonzero(inner)) / len(audio)
    return share


def _level_findings(level_dbfs: float, clipped: float) -> list[Finding]:
    findings = []
    if level_dbfs < QUIET_DBFS:
        said = f"the voice is quiet: {level_dbfs:.0f} dBFS"
        findings.append(Finding("quiet", False, said, "turn the microphone up, or come nearer"))
    if clipped > _CLIPPED:
        said = f"{100.0 * clipped:.2g} % of it is cut off: the microphone is too loud"
        findings.append(Finding("clipped", clipped > _CLIPPED_BADLY, said, "turn the microphone down and try again"))
    return findings


def _microphone_findings(audio: Mono) -> list[Finding]:
    """What is wrong with the microphone and survived; how loud it is, is judged elsewhere."""
    faults = MicrophoneCheck(SAMPLERATE).hear(audio)
    survived = [fault for fault in faults if fault.kind not in ("clipped", "mute")]
    return [Finding(fault.kind, False, fault.problem, fault.advice) for fault in survived]


def _noise_findings(snr_db: float) -> list[Finding]:
    if snr_db >= _NOISY_DB:
        return []
    said = f"the voice stands only {snr_db:.0f} dB above what is around it"
    return [Finding("noise", snr_db < _TOO_NOISY_DB, said, "go where it is quiet, without music or other voices")]


def _voice_findings(
    audio: Mono, speech: npt.NDArray[np.bool_], steps_db: npt.NDArray[np.float32], embedder: BuiltinEmbedder
) -> list[Finding]:
    findings = []
    speech_s = float(np.count_nonzero(speech)) * HOP_S
    if speech_s >= _JUDGED_S and float(steps_db[speech].std()) < _EVEN_DB:
        advice = "let nothing be heard but your voice"
        findings.append(Finding("music", True, "it is too even for speech: music, or noise", advice))
    if speech_s < LEAST_SPEECH_S:
        said = f"there are {speech_s:.0f} s of speech; at least {LEAST_SPEECH_S:.0f} are needed"
        findings.append(Finding("short", True, said, f"speak for some {WANTED_SPEECH_S:.0f} s"))
    elif not findings and one_voice_log_odds(audio, embedder) < ONE_VOICE_LOG_ODDS:
        findings.append(Finding("voices", True, "there seem to be two voices", "let nobody else speak meanwhile"))
    return findings


def one_voice_log_odds(audio: Mono, embedder: BuiltinEmbedder) -> float:
    """Mean log-odds that the two most different groups of pieces of a recording are of one voice."""
    windows = [window for window in embedder.embed_windows(audio, _PIECE_HOP_S, _PIECE_HOPS) if window is not None]
    if len(windows) < 4:
        return 0.0
    vectors = np.array([window.vector for window in windows])
    second = _groups(vectors)
    smaller = min(int(second.sum()), int((~second).sum()))
    if smaller < _PIECE_HOPS:  # of windows that overlap: a cough, or one odd word
        return 0.0
    scoring = embedder.scoring
    first_voice, second_voice = unit(vectors[~second].mean(axis=0)), unit(vectors[second].mean(axis=0))
    speech_s = float(np.median([window.speech_s for window in windows]))
    return scoring.log_odds(scoring.score(first_voice, second_voice), speech_s)


def _groups(vectors: Sequence[Vector] | npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The pieces in two groups by their directions (2-means, from the two that are least alike)."""
    array = np.asarray(vectors)
    likeness = array @ array.T
    first, second = np.unravel_index(int(np.argmin(likeness)), likeness.shape)
    centres = array[[first, second]]
    chosen = np.zeros(len(array), bool)
    for _ in range(20):
        before = chosen
        chosen = array @ centres[1] > array @ centres[0]
        if chosen.all() or not chosen.any() or (before == chosen).all():
            break
        centres = np.stack([unit(array[~chosen].mean(axis=0)), unit(array[chosen].mean(axis=0))])
    return chosen
