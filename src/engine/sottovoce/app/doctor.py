"""What works on this machine, what does not, and the command that mends it."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sottovoce import __version__
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.system_packages import PORTAUDIO, pip_install, system_install
from sottovoce.core.errors import BackendUnavailableError, ConfigError, NotesError, SottovoceError

if TYPE_CHECKING:
    from sottovoce.app.config import Loaded
    from sottovoce.app.settings import Config

State = Literal["ok", "warning", "missing"]

LEAST_PYTHON = (3, 11)

#: Formats that recordings come in.
_FILE_FORMATS = ("WAV", "FLAC", "OGG", "MP3")

_NOTES_HINT = "sottovoce answer RECORDING --notes DIR, or set notes.path"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What it is.
    state : str
        "ok"; "warning": something does not work that `demo` and `answer` do without; "missing": they need it.
    detail : str
        What was found.
    mend : str
        The command that mends it, or what else to do; empty if nothing is wrong.
    code : ExitCode
        What the command ends with if this is missing.
    """

    name: str
    state: State
    detail: str
    mend: str = ""
    code: ExitCode = ExitCode.MISSING


def checks(load: Callable[[], Loaded]) -> Iterator[Check]:
    """Look at everything, one after another.

    Parameters
    ----------
    load : callable
        Reads the settings; if they are wrong, everything else is looked at with the defaults.
    """
    yield _python()
    package = _package()
    yield package
    loaded, settings = _settings(load)
    yield settings
    if package.state != "ok":  # nothing below loads without it
        return
    config = loaded.config if loaded is not None else _defaults()
    yield _portaudio()
    yield _device(config, "output")
    yield _device(config, "input")
    yield _vad(config)
    yield _recognizer(config)
    yield _generator(config)
    yield _synthesizer(config)
    yield _files()
    yield _full_text_search()
    yield _notes(config)
    yield _store(config)


def exit_code(found: list[Check]) -> ExitCode:
    """0 if `demo` and `answer` work, else the code of the first thing that they miss."""
    return next((check.code for check in found if check.state == "missing"), ExitCode.OK)


def _python() -> Check:
    version = f"{platform.python_version()} on {platform.system()}, {platform.machine()}"
    if sys.version_info < LEAST_PYTHON:
        return Check("Python", "missing", version, f"install Python {'.'.join(map(str, LEAST_PYTHON))} or later")
    return Check("Python", "ok", version)


def _package() -> Check:
    try:
        from sottovoce.core.formats import instruction_set
    except ImportError as error:
        mend = pip_install("sottovoce[offline]") + " --force-reinstall"
        return Check("sottovoce", "missing", f"{__version__}, but its compiled part does not load: {error}", mend)
    return Check("sottovoce", "ok", f"{__version__}, compiled part runs on {instruction_set()}")


def _settings(load: Callable[[], Loaded]) -> tuple[Loaded | None, Check]:
    from sottovoce.app.config import shown_path

    try:
        loaded = load()
    except ConfigError as error:
        return None, Check("settings", "missing", error.message, error.hint, ExitCode.USAGE)
    changed = sum(origin.layer != "default" for origin in loaded.provenance.values())
    file = shown_path(loaded.path) if loaded.path.exists() else f"no file at {shown_path(loaded.path)}"
    return loaded, Check("settings", "ok", f"{file}; {changed} changed from their defaults")


def _defaults() -> Config:
    from sottovoce.app.settings import Config

    return Config()


def _portaudio() -> Check:
    from sottovoce.audio.portaudio import portaudio_status

    status = portaudio_status()
    if status.available:
        return Check("PortAudio", "ok", f"{status.version.partition(',')[0]}, {status.library}")
    missing = "OSError" in status.problem or "cannot be loaded" in status.problem
    return Check("PortAudio", "warning", status.problem, system_install(PORTAUDIO) if missing else status.hint)


def _device(config: Config, kind: Literal["input", "output"]) -> Check:
    from sottovoce.audio.devices import find_device

    name = "microphone" if kind == "input" else "earpiece"
    wanted = config.audio.input if kind == "input" else config.audio.output
    try:
        device = find_device(wanted, kind)
    except SottovoceError as error:
        needs = "`live` needs one" if kind == "input" else "`live` needs one; `demo` writes a file instead"
        return Check(name, "warning", f"{error.message}; {needs}", error.hint)
    channels = device.channels(kind)
    return Check(name, "ok", f"{device.name}, {device.default_samplerate} Hz, {channels} channels")


def _vad(config: Config) -> Check:
    from sottovoce.speech.vad import open_vad

    try:
        detector = open_vad(config.vad.backend)
    except SottovoceError as error:
        return _broken("voice detector", error)
    if config.vad.backend == "auto" and detector.name != "silero":
        mend = pip_install("sottovoce[offline]")
        return Check("voice detector", "warning", f"{detector.name}; silero hears much better in noise", mend)
    return Check("voice detector", "ok", detector.name)


def _recognizer(config: Config) -> Check:
    from sottovoce.speech.registry import open_recognizer

    name = config.asr.backend
    try:
        with closing(open_recognizer(name, language=config.asr.language)) as recognizer:
            recognizer.warm()
    except SottovoceError as error:
        return _broken("recogniser", error)
    return Check("recogniser", "ok", f"{name}, language {config.asr.language}; {_sent('asr', name)}")


def _generator(config: Config) -> Check:
    from sottovoce.speech.registry import describe

    name = config.llm.backend
    info = describe("llm", name)
    if info.missing:
        return Check("generator", "missing", f"{name} needs {', '.join(info.missing)}", _mend_extra(info.extra))
    return Check("generator", "ok", f"{name}; {_sent('llm', name)}")


def _synthesizer(config: Config) -> Check:
    from sottovoce.core.cancel import CancelToken
    from sottovoce.speech.registry import open_synthesizer

    tts, language = config.tts, _language(config)
    try:
        with closing(open_synthesizer(tts.backend, voice=tts.voice, speed=tts.speed, volume=tts.volume)) as voice:
            frames = sum(len(chunk) for chunk in voice.synthesize("one", language, CancelToken()))
    except SottovoceError as error:
        return _broken("synthesiser", error)
    if not frames:
        return Check(
            "synthesiser", "missing", f"{tts.backend} says nothing in {language!r}", "choose another tts.voice"
        )
    return Check("synthesiser", "ok", f"{tts.backend}, voice {tts.voice} for {language}; {_sent('tts', tts.backend)}")


def _files() -> Check:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return Check("audio files", "missing", f"soundfile does not load: {error}", pip_install("sottovoce[offline]"))
    known = soundfile.available_formats()
    lacking = [name for name in _FILE_FORMATS if name not in known]
    detail = f"{', '.join(name for name in _FILE_FORMATS if name in known)} ({soundfile.__libsndfile_version__})"
    if lacking:
        mend = pip_install("soundfile>=0.12.1") + " --force-reinstall"
        return Check("audio files", "warning", f"{detail}; not {', '.join(lacking)}", mend)
    return Check("audio files", "ok", detail)


def _full_text_search() -> Check:
    version = f"SQLite {sqlite3.sqlite_version}"
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'trigram')")
    except sqlite3.Error as error:
        return Check(
            "search", "missing", f"{version} lacks FTS5: {error}", "use a Python whose SQLite is 3.34 or later"
        )
    return Check("search", "ok", f"{version} with FTS5")


def _notes(config: Config) -> Check:
    from sottovoce.speech.notes.reader import read_notes

    path = config.notes.path
    if path is None:
        return Check("notes", "warning", "no folder is set; `demo` brings its own", _NOTES_HINT)
    try:
        notes = read_notes(path)
    except NotesError as error:
        return Check("notes", "missing", error.message, error.hint.partition("\n")[0], ExitCode.NOTES)
    if notes.warnings:
        detail = f"{len(notes.notes)} in {path}, {len(notes.warnings)} warnings"
        return Check("notes", "warning", detail, f"sottovoce notes check --notes {path}")
    return Check("notes", "ok", f"{len(notes.notes)} in {path}")


def _store(config: Config) -> Check:
    session = config.session
    if not session.store:
        return Check("session store", "ok", "off: nothing is kept")
    kept = {"keep": "words are kept", "redact": "only lengths of words are kept", "off": "words are not kept"}
    problem = _store_problem(session.path)
    if problem is not None:
        return Check("session store", "warning", f"sessions cannot be kept: {problem.message}", problem.hint)
    return Check("session store", "ok", f"{session.path}; {kept[session.transcripts]}")


def _store_problem(path: Path) -> SottovoceError | None:
    """Why sessions could not be stored; looking leaves no new file behind."""
    from sottovoce.core.errors import StoreError
    from sottovoce.session.store import SessionStore

    if path.exists():
        try:
            SessionStore(path).close()
        except StoreError as error:
            return error
        return None
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return None
    return StoreError(f"{path} cannot be made: {folder} may not be written", path=path, hint="set session.path")


def _language(config: Config) -> str:
    return config.asr.language if config.llm.language == "auto" else config.llm.language


def _broken(name: str, error: SottovoceError) -> Check:
    unavailable = isinstance(error, BackendUnavailableError)
    mend = pip_install("sottovoce[offline]") if unavailable and "[offline]" in error.hint else error.hint
    return Check(name, "missing", error.message, mend, ExitCode.MISSING if unavailable else ExitCode.BACKEND)


def _mend_extra(extra: str) -> str:
    return pip_install(f"sottovoce[{extra}]")


def _sent(kind: Literal["asr", "llm", "tts"], name: str) -> str:
    """What a backend sends to others (SPEC D1)."""
    from sottovoce.speech.registry import describe

    return describe(kind, name).sends or "nothing leaves this machine"
