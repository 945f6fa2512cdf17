"""One tree of errors. Each is also the builtin that a caller would expect, and carries a hint.

::

    SottovoceError
    ├── ConfigError (ValueError)               .key .hint
    ├── AudioFileError (ValueError)            .path .hint
    ├── NotesError (ValueError)                .path .hint
    ├── DeviceError                            .hint
    │   ├── DeviceNotFoundError (LookupError)
    │   ├── DeviceLostError                    .generation
    │   └── HostAudioError                     .pa_code .host_text
    ├── StreamError
    │   ├── StreamClosedError
    │   └── StaleGenerationError               .generation .current
    ├── BackendError                           .backend .kind .retryable .retry_after_s .hint
    │   ├── BackendUnavailableError (ImportError)  .install_hint
    │   ├── BackendTimeoutError (TimeoutError)
    │   └── BudgetSpentError
    ├── ProfileError (ValueError)              .path .hint
    └── StoreError                             .path .hint
"""

from __future__ import annotations

from pathlib import Path


class SottovoceError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : str
        What is wrong, with the value that is wrong.
    hint : str
        What to do about it; empty if there is nothing to say.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigError(SottovoceError, ValueError):
    """A setting that is unknown or has a value that is not allowed."""

    def __init__(self, message: str, *, key: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key = key


class AudioFileError(SottovoceError, ValueError):
    """A file that is not audio, or holds none."""

    def __init__(self, message: str, *, path: Path | str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = Path(path)


class NotesError(SottovoceError, ValueError):
    """Notes that cannot be read, or a folder that holds none."""

    def __init__(self, message: str, *, path: Path | str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = Path(path)


class DeviceError(SottovoceError):
    """Something about an audio device."""


class DeviceNotFoundError(DeviceError, LookupError):
    """No such device, or no device at all; ``fitting`` is how many fit where one was meant."""

    def __init__(self, message: str, *, fitting: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fitting = fitting


class DeviceLostError(DeviceError):
    """A device that was there has gone; ``generation`` is that of its stream."""

    def __init__(self, message: str, *, generation: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.generation = generation


class HostAudioError(DeviceError):
    """PortAudio or the system's audio refused; both their words are kept."""

    def __init__(self, message: str, *, pa_code: int, host_text: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.pa_code = pa_code
        self.host_text = host_text


class StreamError(SottovoceError):
    """A stream used in a state that does not allow it."""


class StreamClosedError(StreamError):
    """The stream was closed before."""


class StaleGenerationError(StreamError):
    """A writer that belongs to a generation flushed meanwhile."""

    def __init__(self, message: str, *, generation: int, current: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.generation = generation
        self.current = current


class BackendError(SottovoceError):
    """A recogniser, generator or synthesiser failed.

    ``retryable`` says whether trying again may help, ``retry_after_s`` when the service wants to be asked again, if it
    has said so.
    """

    def __init__(
        self,
        message: str,
        *,
        backend: str,
        retryable: bool = False,
        hint: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.backend = backend
        self.retryable = retryable
        self.retry_after_s = retry_after_s

    @property
    def kind(self) -> str:
        """What has happened, in a word that figures are told apart by; "failed" may be tried again, "refused" not."""
        return "failed" if self.retryable else "refused"


class BackendUnavailableError(BackendError, ImportError):
    """The packages of a backend are not installed; ``install_hint`` is the command that installs them."""

    def __init__(self, message: str, *, backend: str, install_hint: str) -> None:
        super().__init__(message, backend=backend, hint=install_hint)
        self.install_hint = install_hint

    @property
    def kind(self) -> str:
        return "unavailable"


class BackendTimeoutError(BackendError, TimeoutError):
    """A backend did not answer within its deadline."""

    def __init__(self, message: str, *, backend: str, hint: str = "") -> None:
        super().__init__(message, backend=backend, retryable=True, hint=hint)

    @property
    def kind(self) -> str:
        return "timeout"


class BudgetSpentError(BackendError):
    """A service was not called, because nothing more may be spent; it may be well."""

    @property
    def kind(self) -> str:
        return "budget"


class ProfileError(SottovoceError, ValueError):
    """A voice profile that is not there, damaged or cannot be made of what was recorded."""

    def __init__(self, message: str, *, path: Path | str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = Path(path)


class StoreError(SottovoceError):
    """The session store cannot be opened, read or written."""

    def __init__(self, message: str, *, path: Path | str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = Path(path)
