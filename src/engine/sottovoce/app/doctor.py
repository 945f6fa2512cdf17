"""What works on this machine, what does not, and the command that mends it."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sottovoce import __version__
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.logs import log_crash
from sottovoce.app.system_packages import PORTAUDIO, pip_install, sound_advice, system_install
from sottovoce.core.errors import (
    BackendUnavailableError,
    ConfigError,
    DeviceError,
    DeviceNotFoundError,
    NotesError,
    SottovoceError,
)

if TYPE_CHECKING:
    from sottovoce.app.config import Loaded
    from sottovoce.app.settings import Config
    from sottovoce.audio.bluetooth import TelephoneQuality
    from sottovoce.audio.host import Device
    from sottovoce.speech.registry import Kind

State = Literal["ok", "warning", "missing"]

LEAST_PYTHON = (3, 11)

#: Formats that recordings come in.
_FILE_FORMATS = ("WAV", "FLAC", "OGG", "MP3")

#: Ways to what a machine plays, in words.
_LOOPBACKS = {
    "monitor": "the monitor of an output",
    "wasapi": "the loopback of an output",
    "virtual": "a device that programs have to play to",
}

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
    looks: dict[str, Callable[[str], Check]] = {
        "PortAudio": lambda name: _portaudio(name, config),
        "realtime priority": _priority,
        "earpiece": lambda name: _device(name, config, "output"),
        "microphone": lambda name: _device(name, config, "input"),
        "second ear": lambda name: _second_ear(name, config),
        "voice detector": lambda name: _vad(name, config),
        "own voice": lambda name: _own_voice(name, config),
        "echo": lambda name: _echo(name, config),
        "recogniser": lambda name: _backends(name, config, "asr", _recognizer),
        "generator": lambda name: _backends(name, config, "llm", _generator),
        "synthesiser": lambda name: _backends(name, config, "tts", _synthesizer),
        "models": lambda name: _models(name, config),
        "audio files": _files,
        "search": _full_text_search,
        "notes": lambda name: _notes(name, config),
        "session store": lambda name: _store(name, config),
        "costs": lambda name: _costs(name, config),
        "metrics": lambda name: _metrics(name, config),
    }
    for name, look in looks.items():
        yield _guarded(name, look)


def exit_code(found: list[Check]) -> ExitCode:
    """0 if `demo` and `answer` work, else the code of the first thing that they miss."""
    return next((check.code for check in found if check.state == "missing"), ExitCode.OK)


def _guarded(name: str, look: Callable[[str], Check]) -> Check:
    try:
        return look(name)
    except Exception as error:  # noqa: BLE001 - whatever is broken, the rest is still looked at
        log_crash(error, "main", file_only=True)
        mend = "sottovoce --log-file FILE doctor, and report what the file says"
        return Check(name, "missing", f"unexpected {type(error).__name__}", mend, ExitCode.INTERNAL)


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


def _portaudio(name: str, config: Config) -> Check:
    from sottovoce.audio.portaudio import choose_way, portaudio_status

    choose_way(config.audio.portaudio)
    status = portaudio_status()
    if status.available:
        version = status.version.removeprefix("PortAudio ").partition(",")[0]
        return Check(name, "ok", f"{version}, {status.library}, streams opened by {status.way}")
    return Check(name, "warning", status.problem, _portaudio_mend(status.hint))


def _portaudio_mend(hint: str) -> str:
    return system_install(PORTAUDIO) if sys.platform.startswith("linux") and "portaudio" in hint else hint


def _priority(name: str) -> Check:
    from sottovoce.audio.priority import GRANT_HINT, priority_grant

    grant = priority_grant()
    if grant.granted is None:
        return Check(name, "ok", grant.reason)
    if grant.granted:
        return Check(name, "ok", f"granted to audio threads, up to {grant.most}")
    return Check(name, "warning", f"refused ({grant.reason}); a busy machine may cut the sound", GRANT_HINT)


def _device(name: str, config: Config, kind: Literal["input", "output"]) -> Check:
    from sottovoce.audio.devices import list_devices, select_device

    wanted = config.audio.input if kind == "input" else config.audio.output
    needs = "`live` needs one" + ("" if kind == "input" else ", `demo` writes a file instead")
    try:
        devices = list_devices()
        device = select_device(devices, wanted, kind)
    except DeviceNotFoundError as error:
        usable = any(device.channels(kind) for device in devices)
        return Check(name, "warning", f"{error.message}; {needs}", error.hint if usable else sound_advice())
    except DeviceError as error:
        return Check(name, "warning", f"not looked for without PortAudio; {needs}", _portaudio_mend(error.hint))
    channels = device.channels(kind)
    detail = f"{device.name}, {device.default_samplerate} Hz, {channels} channels"
    telephone = _telephone(devices, device.name, config) if kind == "input" else None
    if telephone is not None:
        return Check(name, "warning", f"{detail}; {telephone.problem}", telephone.advice)
    return Check(name, "ok", detail)


def _second_ear(name: str, config: Config) -> Check:
    """What gives what this machine plays; nobody needs it who does not ask for it."""
    from sottovoce.audio.loopback import find_loopback, offered

    wanted = config.audio.loopback
    try:
        if wanted != "off":
            found = find_loopback(wanted)
            return Check(name, "ok", f"{found.name}, {_LOOPBACKS[found.way]}")
        names = offered()
    except DeviceError as error:
        if wanted == "off":
            return Check(name, "ok", f"off, and none is offered: {error.message}")
        return Check(name, "warning", f"{error.message}; `live --loopback` needs one", error.hint)
    if not names:
        return Check(name, "ok", "off, and none is offered (docs/two-ears.md)")
    return Check(name, "ok", f"off; there is {', '.join(names)} (`live --loopback auto`)")


def _telephone(devices: Sequence[Device], microphone: str, config: Config) -> TelephoneQuality | None:
    """Whether the microphone takes, or will take, the quality of the earpiece."""
    from sottovoce.audio.bluetooth import telephone_quality
    from sottovoce.audio.devices import select_device

    try:
        earpiece = select_device(devices, config.audio.output, "output").name
    except DeviceNotFoundError:
        return None
    return telephone_quality((), devices, microphone, earpiece) or telephone_quality(devices, (), microphone, earpiece)


def _vad(name: str, config: Config) -> Check:
    from sottovoce.speech.vad import open_vad

    try:
        detector = open_vad(config.vad.backend)
    except SottovoceError as error:
        return _broken(name, error)
    if config.vad.backend == "auto" and detector.name != "silero":
        mend = pip_install("sottovoce[offline]")
        return Check(name, "warning", f"{detector.name}; silero hears much better in noise", mend)
    return Check(name, "ok", detector.name)


def _own_voice(name: str, config: Config) -> Check:
    from sottovoce.app.voices import has_voice, open_profiles, open_verifier

    speaker = config.speaker
    if not speaker.verify:
        return Check(name, "ok", "not told from others (speaker.verify): your own questions are answered too")
    if not has_voice(config):
        return Check(name, "warning", "not enrolled: `live` answers your own questions too", "sottovoce enroll")
    try:
        verifier = open_verifier(config)
    except SottovoceError as error:
        return replace(_broken(name, error), state="warning")
    if verifier is not None:
        verifier.close()
    profile = open_profiles(config).load(speaker.profile)
    return Check(
        name, "ok", f"{speaker.profile!r} of {profile.updated:%Y-%m-%d}, {profile.speech_s:.0f} s, {speaker.backend}"
    )


def _echo(name: str, config: Config) -> Check:
    from sottovoce.app.echo import described

    detail, extra = described(config)
    return Check(name, "warning" if extra else "ok", detail, _mend_extra(extra) if extra else "")


def _recognizer(name: str, config: Config, backend: str) -> Check:
    from sottovoce.app.opening import settings_of
    from sottovoce.speech.registry import open_recognizer

    with closing(open_recognizer(backend, **settings_of(config, "asr", backend))) as recognizer:
        recognizer.warm()
    return Check(name, "ok", f"{backend}, language {config.asr.language}; {_sent('asr', backend)}")


def _generator(name: str, config: Config, backend: str) -> Check:
    return Check(name, "ok", f"{backend}; {_sent('llm', backend)}")


def _synthesizer(name: str, config: Config, backend: str) -> Check:
    from sottovoce.app.opening import settings_of
    from sottovoce.core.cancel import CancelToken
    from sottovoce.speech.registry import open_synthesizer

    tts, language = config.tts, _language(config)
    with closing(open_synthesizer(backend, **settings_of(config, "tts", backend))) as voice:
        frames = sum(len(chunk) for chunk in voice.synthesize("one", language, CancelToken()))
    if not frames:
        return Check(name, "missing", f"{backend} says nothing in {language!r}", "choose another tts.voice")
    return Check(name, "ok", f"{backend}, voice {tts.voice} for {language}; {_sent('tts', backend)}")


def _backends(name: str, config: Config, kind: Kind, look: Callable[[str, Config, str], Check]) -> Check:
    """Look at every backend that a setting names; one that calls a service is not opened, so that nobody is called."""
    from sottovoce.app.settings import backend_list

    found = [
        _backend(name, config, kind, backend, look) for backend in backend_list(str(config.get(f"{kind}.backend")))
    ]
    wrong = [check for check in found if check.state != "ok"]
    if len(found) == 1 or not wrong:
        detail = "; then ".join(check.detail for check in found)
        return replace(found[0], detail=detail)
    works = "; ".join(check.detail for check in found if check not in wrong)
    detail = f"{wrong[0].detail}{'; there is ' if works else ''}{works}"
    return replace(wrong[0], state="warning" if works else "missing", detail=detail)


def _backend(name: str, config: Config, kind: Kind, backend: str, look: Callable[[str, Config, str], Check]) -> Check:
    from sottovoce.app.opening import settings_of
    from sottovoce.speech.registry import check_backend, describe

    info = describe(kind, backend)
    if info.missing:
        return Check(name, "missing", f"{backend} needs {', '.join(info.missing)}", _mend_extra(info.extra))
    try:
        service = check_backend(kind, backend, **settings_of(config, kind, backend))
        if service:
            return Check(name, "ok", f"{backend}, {service}; {info.sends}")
        return look(name, config, backend)
    except SottovoceError as error:
        return _broken(name, error)


def _models(name: str, config: Config) -> Check:
    """Which models lie here; one that is wanted and is not has been told of by its backend."""
    from sottovoce.app.models import every, in_words
    from sottovoce.speech.local.catalogue import catalogue
    from sottovoce.speech.local.model import State

    try:
        known = every(config)
    except SottovoceError:  # a name that its backend complains about
        known = catalogue(config.models.path)
    here = [(model, held) for model in known if (held := model.held).state is not State.ABSENT]
    listed = ", ".join(f"{model.name} ({in_words(held, model.about_bytes)})" for model, held in here)
    mode = "; offline: nothing is fetched" if config.models.offline else ""
    return Check(name, "ok", f"{listed or 'none is here'}{mode}")


def _files(name: str) -> Check:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return Check(name, "missing", f"soundfile does not load: {error}", pip_install("sottovoce[offline]"))
    known = soundfile.available_formats()
    lacking = [name for name in _FILE_FORMATS if name not in known]
    detail = f"{', '.join(name for name in _FILE_FORMATS if name in known)} ({soundfile.__libsndfile_version__})"
    if lacking:
        mend = pip_install("soundfile>=0.12.1") + " --force-reinstall"
        return Check(name, "warning", f"{detail}; not {', '.join(lacking)}", mend)
    return Check(name, "ok", detail)


def _full_text_search(name: str) -> Check:
    version = f"SQLite {sqlite3.sqlite_version}"
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'trigram')")
    except sqlite3.Error as error:
        return Check(
            "search", "missing", f"{version} lacks FTS5: {error}", "use a Python whose SQLite is 3.34 or later"
        )
    return Check(name, "ok", f"{version} with FTS5")


def _notes(name: str, config: Config) -> Check:
    from sottovoce.speech.notes.reader import read_notes

    path = config.notes.path
    if path is None:
        return Check(name, "warning", "no folder is set; `demo` brings its own", _NOTES_HINT)
    try:
        notes = read_notes(path)
    except NotesError as error:
        return Check(name, "missing", error.message, error.hint.partition("\n")[0], ExitCode.NOTES)
    if notes.warnings:
        detail = f"{len(notes.notes)} in {path}, {len(notes.warnings)} warnings"
        return Check(name, "warning", detail, f"sottovoce notes check --notes {path}")
    return Check(name, "ok", f"{len(notes.notes)} in {path}")


def _store(name: str, config: Config) -> Check:
    session = config.session
    if not session.store:
        return Check(name, "ok", "off: nothing is kept")
    kept = {"keep": "words are kept", "redact": "only lengths of words are kept", "off": "words are not kept"}
    problem = _store_problem(session.path)
    if problem is not None:
        return Check(name, "warning", f"sessions cannot be kept: {problem.message}", problem.hint)
    return Check(name, "ok", f"{session.path}; {kept[session.transcripts]}")


def _costs(name: str, config: Config) -> Check:
    from sottovoce.app.opening import configured_models
    from sottovoce.app.prices import read_prices
    from sottovoce.app.sessions import limits_of

    models = configured_models(config)
    if not models:
        return Check(name, "ok", "no service is set, so nothing costs anything")
    try:
        prices = read_prices()
    except ConfigError as error:
        return Check(name, "warning", error.message, error.hint)
    unknown = [f"{model} ({provider})" for provider, model in models if prices.find(provider, model) is None]
    budget = "a budget is set" if limits_of(config).any else "no budget is set"
    if unknown:
        detail = f"the price of {', '.join(unknown)} is unknown, so that no budget counts it; {budget}"
        return Check(name, "warning", detail, "give it: `sottovoce costs --prices` says where")
    return Check(name, "ok", f"the prices of {len(models)} models are known; {budget}")


def _metrics(name: str, config: Config) -> Check:
    """Who sees metrics, and whether what they need is there."""
    from sottovoce.app.measured import VISIBLE, seen_by_others

    metrics = config.metrics
    if metrics.port is None and not metrics.traces:
        return Check(name, "ok", "off: nobody is shown any")
    needs = {"metrics": ("prometheus_client", metrics.port is not None), "otel": ("opentelemetry", metrics.traces)}
    for extra, (package, wanted) in needs.items():
        if wanted and find_spec(package) is None:
            mend = pip_install(f"sottovoce[{extra}]")
            return Check(name, "warning", f"`live` needs {package}", mend)
    traces = ["handed to OpenTelemetry as traces"] * metrics.traces
    if metrics.port is None:
        return Check(name, "ok", traces[0])
    place = f"at port {metrics.port} of {metrics.address}"
    if seen_by_others(metrics.address):
        detail = "; ".join([f"{place}: whoever reaches {metrics.address} sees {VISIBLE}", *traces])
        return Check(name, "warning", detail, "set metrics.address to 127.0.0.1")
    return Check(name, "ok", "; ".join([f"{place}, seen by this machine alone", *traces]))


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


def _sent(kind: Kind, backend: str) -> str:
    """What a backend sends to others (SPEC D1)."""
    from sottovoce.speech.registry import describe

    return describe(kind, backend).sends or "nothing leaves this machine"
