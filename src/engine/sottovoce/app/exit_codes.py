"""What the process returns, and for which error."""

from __future__ import annotations

from enum import IntEnum

from sottovoce.core.errors import (
    AudioFileError,
    BackendError,
    BackendUnavailableError,
    ConfigError,
    DeviceError,
    NotesError,
    ProfileError,
    StoreError,
    StreamError,
)


class ExitCode(IntEnum):
    """The exit codes of every command; a script may rely on them."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    MISSING = 3
    AUDIO_FILE = 4
    NOTES = 5
    DEVICE = 6
    BACKEND = 7
    STORE = 8
    UNHEALTHY = 9
    DIFFERS = 10
    VOICE = 11
    INTERRUPTED = 130
    BROKEN_PIPE = 141

    @property
    def meaning(self) -> str:
        """One line for the help and the documentation."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "it worked",
    ExitCode.INTERNAL: "an internal error: please report it",
    ExitCode.USAGE: "wrong usage, or a setting that is unknown or not allowed",
    ExitCode.MISSING: "a package or a system library is missing",
    ExitCode.AUDIO_FILE: "an audio file cannot be read, or holds no audio",
    ExitCode.NOTES: "the notes cannot be read, or there are none",
    ExitCode.DEVICE: "no audio device, or it refused",
    ExitCode.BACKEND: "a recogniser, generator or synthesiser failed",
    ExitCode.STORE: "the session store cannot be opened, read or written",
    ExitCode.UNHEALTHY: "`monitor --once` or `--for` has found the engine losing sound",
    ExitCode.DIFFERS: "`replay`: something is decided otherwise now",
    ExitCode.VOICE: "no such voice profile, or it is damaged, or none can be made of what was recorded",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
    ExitCode.BROKEN_PIPE: "whatever read the output went away",
}

# The first class that fits decides, so a class stands before its parents. ImportError is how a missing PortAudio or
# package arrives, whatever else the error is.
_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (BackendUnavailableError, ExitCode.MISSING),
    (ImportError, ExitCode.MISSING),
    (ConfigError, ExitCode.USAGE),
    (AudioFileError, ExitCode.AUDIO_FILE),
    (NotesError, ExitCode.NOTES),
    (DeviceError, ExitCode.DEVICE),
    (StreamError, ExitCode.DEVICE),
    (BackendError, ExitCode.BACKEND),
    (StoreError, ExitCode.STORE),
    (ProfileError, ExitCode.VOICE),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (BrokenPipeError, ExitCode.BROKEN_PIPE),
)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that ``error`` ends the process with."""
    if isinstance(error, DeviceError) and isinstance(error.__cause__, (ImportError, OSError)):
        return ExitCode.MISSING  # not a device failed, but PortAudio itself could not be loaded
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.INTERNAL)
