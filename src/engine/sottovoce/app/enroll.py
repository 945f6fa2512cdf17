"""``sottovoce enroll``: the wearer's voice, so that their own words are never answered."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sottovoce.app.context import AppContext, setting_option
from sottovoce.core.errors import ConfigError, ProfileError

if TYPE_CHECKING:
    from sottovoce.core.types import Mono
    from sottovoce.speech.embedding.base import Embedder
    from sottovoce.speech.wearer.enrolment import Examined, Finding
    from sottovoce.speech.wearer.profile import ProfileStore, VoiceProfile

_name_option = setting_option("--name", key="speaker.profile", metavar="NAME", help="Name of the voice profile.")


@click.group("enroll", invoke_without_command=True)
@_name_option
@click.option(
    "--from",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A recording of your voice instead of the microphone; may be repeated.",
)
@setting_option("--input", key="audio.input", metavar="DEVICE", help="Microphone: id, name or a part of it.")
@click.option(
    "--language", type=click.Choice(["en", "ru"]), help="Language of the text to read. Default: asr.language."
)
@click.option("--merge", "existing", flag_value="merge", help="Add to the profile: another microphone, another day.")
@click.option("--replace", "existing", flag_value="replace", help="Make the profile anew.")
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], language: str | None, existing: str | None) -> None:
    """Teach sottovoce your voice, so that it never answers you.

    Shows a text to read aloud, and listens for some 20 seconds of speech. What is kept is a few hundred numbers, in a
    file readable by you alone, and no sound. `sottovoce live` uses the profile that speaker.profile names.
    """
    if context.invoked_subcommand is not None:
        return
    app = context.ensure_object(AppContext)
    from sottovoce.app.models import fetch_missing
    from sottovoce.app.voices import open_profiles

    name, profiles = app.config.speaker.profile, open_profiles(app.config)
    before = _before(profiles, name, existing)
    fetch_missing(app, app.config, ("embedding",))  # before anybody speaks
    if files:
        recorded, findings = _read(files)
    else:
        from sottovoce.app.recording import record_voice

        recorded, findings = record_voice(app, language or app.config.asr.language), []
    _enroll(app, profiles, name, recorded, findings, before)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_profiles(app: AppContext, as_json: bool) -> None:
    """List the voice profiles; the one in use is marked."""
    from sottovoce.app.voices import open_profiles

    profiles = open_profiles(app.config)
    rows = [_row(profiles, name) for name in profiles.names()]
    if as_json:
        app.print_json([{**row, "used": row["name"] == app.config.speaker.profile} for row in rows])
        return
    if not rows:
        app.console.print(f"no voice is enrolled in {profiles.folder}", markup=False, soft_wrap=True)
    for row in rows:
        used = "*" if row["name"] == app.config.speaker.profile else " "
        detail = row["problem"] or f"{row['speech_s']:.0f} s, {row['clips']} clips, {str(row['updated'])[:10]}"
        app.console.print(f"{used} {row['name']}  {detail}", markup=False, soft_wrap=True)


@command.command("show")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(app: AppContext, name: str | None, as_json: bool) -> None:
    """Show what is kept of a voice profile: when it was made, of how much speech, for which models."""
    from sottovoce.app.voices import open_profiles

    profiles = open_profiles(app.config)
    profile = profiles.load(name or app.config.speaker.profile)
    models = {model: list(vectors.shape) for model, vectors in profile.voices.items()}
    facts = {
        "name": profile.name,
        "created": profile.created.isoformat(timespec="seconds"),
        "updated": profile.updated.isoformat(timespec="seconds"),
        "speech_s": round(profile.speech_s, 1),
        "models": models,
        "file": str(profiles.path_of(profile.name)),
    }
    if as_json:
        app.print_json(facts)
        return
    for key, value in facts.items():
        said = ", ".join(f"{model} ({n} x {size})" for model, (n, size) in models.items()) if key == "models" else value
        app.console.print(f"{key:<9} {said}", markup=False, soft_wrap=True)


@command.command("delete")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(app: AppContext, names: tuple[str, ...], yes: bool) -> None:
    """Delete voice profiles for good, damaged ones too."""
    from sottovoce.app.voices import open_profiles

    profiles = open_profiles(app.config)
    unknown = [name for name in names if name not in profiles]
    if unknown:
        raise ProfileError(
            f"there is no voice profile {unknown[0]!r}",
            path=profiles.path_of(unknown[0]),
            hint="`sottovoce enroll list` shows which there are",
        )
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask on; say --yes")
        click.confirm(f"Delete {', '.join(names)} for good?", abort=True)
    for name in dict.fromkeys(names):
        profiles.delete(name)
        app.console.print(f"deleted {name}", markup=False)


def say_findings(app: AppContext, findings: Iterable[Finding]) -> None:
    """What was found in a recording, and what to do about it; not what is an error anyway."""
    from rich.text import Text

    for finding in findings:
        if not finding.fatal:
            line = Text.assemble(("warning: ", "yellow"), finding.said, f"; {finding.advice}")
            app.err.print(line, soft_wrap=True)


def _before(profiles: ProfileStore, name: str, existing: str | None) -> VoiceProfile | None:
    """The profile to merge with, if any; found out before anybody speaks."""
    if existing == "merge":
        return profiles.load(name)
    if existing is None and name in profiles:
        raise ConfigError(
            f"the voice profile {name!r} exists and is left as it is",
            key="--name",
            hint="--merge adds to it, --replace makes it anew, --name NAME makes another",
        )
    return None


def _read(files: Sequence[Path]) -> tuple[Mono, list[Finding]]:
    import numpy as np

    from sottovoce.app.wiring import EAR_SAMPLERATE
    from sottovoce.audio.files import AudioFile
    from sottovoce.speech.wearer.enrolment import Finding

    sounds, findings = [], []
    for file in files:
        with AudioFile(file, samplerate=EAR_SAMPLERATE) as audio:
            sounds.append(audio.read())
            if audio.warning:
                findings.append(Finding("channel", False, f"{file}: {audio.warning}", "it was read all the same"))
    return np.concatenate(sounds), findings


def _enroll(
    app: AppContext,
    profiles: ProfileStore,
    name: str,
    recorded: Mono,
    findings: Sequence[Finding],
    before: VoiceProfile | None,
) -> None:
    from sottovoce.app.opening import open_wearer_embedder
    from sottovoce.speech.embedding.builtin import BuiltinEmbedder
    from sottovoce.speech.wearer.enrolment import examine, make_profile

    with ExitStack() as stack:
        embedders: list[Embedder] = [BuiltinEmbedder()]
        chosen = stack.enter_context(closing(open_wearer_embedder(app.config)))
        if chosen.model != embedders[0].model:
            embedders.append(chosen)
        with app.err.status("listening to it"):
            examined = examine(recorded)
            say_findings(app, [*findings, *examined.findings])
            profile = make_profile(name, examined, embedders, datetime.now(UTC))
    if before is not None:
        _check_same_voice(before, profile)
        profile = before.merged(profile)
    profiles.save(profile)
    _say_done(app, examined, profile, merged=before is not None)


def _check_same_voice(before: VoiceProfile, now: VoiceProfile) -> None:
    from sottovoce.speech.embedding.base import Embedding
    from sottovoce.speech.embedding.builtin import BuiltinEmbedder
    from sottovoce.speech.wearer.enrolment import CLIP_SPEECH_S
    from sottovoce.speech.wearer.verifier import EnrolledVoice

    embedder = BuiltinEmbedder()
    known = before.voices.get(embedder.model)
    if known is None:
        return
    voice = EnrolledVoice(known, embedder)
    odds = [voice.log_odds(Embedding(vector, CLIP_SPEECH_S)) for vector in now.voices[embedder.model]]
    if sum(odds) / len(odds) < 0.0:
        raise ProfileError(
            f"this does not sound like the voice of {before.name!r}",
            path=before.name,
            hint="--replace makes the profile anew, --name NAME makes another",
        )


def _say_done(app: AppContext, examined: Examined, profile: VoiceProfile, *, merged: bool) -> None:
    done = "added to" if merged else "enrolled as"
    facts = f"{examined.speech_s:.0f} s of speech at {examined.level_dbfs:.0f} dBFS"
    level = f"{facts}, {examined.snr_db:.0f} dB above the room"
    app.console.print(f"Your voice is {done} {profile.name!r}: {level}.", markup=False, soft_wrap=True)
    used = app.config.speaker
    if not used.verify:
        app.console.print("speaker.verify is off: `sottovoce live` does not use it.", markup=False, soft_wrap=True)


def _row(profiles: ProfileStore, name: str) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "problem": "", "updated": None, "speech_s": None, "clips": None}
    try:
        profile = profiles.load(name)
    except ProfileError as error:
        return {**row, "problem": error.message}
    clips = max(len(vectors) for vectors in profile.voices.values())
    return {**row, "updated": profile.updated.isoformat(), "speech_s": profile.speech_s, "clips": clips}
