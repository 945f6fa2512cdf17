"""Keys of services: where they are looked for, and how they are kept from being shown.

In this order: a variable of the environment, a file that only its owner can read, the account that Google's own tools
have left (for its services), the keyring of the system (where the package ``keyring`` is installed). A key never stands
in the settings.
"""

from __future__ import annotations

import importlib.util
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sottovoce.core.errors import BackendError
from sottovoce.core.secrets import remember

#: Under this name keys lie in the keyring of the system, with the name of the service as the user.
KEYRING_SERVICE = "sottovoce"

#: A file larger than this (bytes) holds no key, or no account.
_MAX_FILE_BYTES, _MAX_ACCOUNT_BYTES = 4096, 16384

#: Kinds of accounts that are understood.
ACCOUNTS = ("service_account", "authorized_user")


class Key:
    """A key that does not show itself: its text is only in :meth:`reveal`."""

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str) -> None:
        remember(text)
        self._text = text
        self.origin = origin

    def reveal(self) -> str:
        """The key itself, for the client that sends it."""
        return self._text

    def __repr__(self) -> str:
        return f"<key from {self.origin}>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not written anywhere")


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where the key of a service is looked for.

    Attributes
    ----------
    service : str
        Name of the service, as in the settings.
    variables : tuple of str
        Variables of the environment, the strongest first.
    file : Path or None
        A file that holds nothing but the key.
    accounts : bool
        Whether an account of Google's (a JSON document) will do in its place.
    """

    service: str
    variables: tuple[str, ...]
    file: Path | None = None
    accounts: bool = False

    @property
    def hint(self) -> str:
        """How to give the key."""
        account = ", or log in: gcloud auth application-default login" if self.accounts else ""
        return (
            f"set {self.variables[0]}, or name a file that only you can read in {self.service}.key_file, "
            f"or store it: keyring set {KEYRING_SERVICE} {self.service}{account}"
        )

    def find(self, *, elsewhere: bool = True) -> Key | None:
        """The key, or None if there is none anywhere.

        Parameters
        ----------
        elsewhere : bool
            Whether to look also where keys lie that were not given for this program: the account of Google's tools, and
            the keyring, which may ask its owner to unlock it.

        Raises
        ------
        BackendError
            What was found is no key, or others can read the file.
        """
        for name in self.variables:
            if os.environ.get(name):
                return self._checked(os.environ[name], f"the variable {name}")
        if self.file is not None:
            return self._checked(self._from_file(self.file), f"the file {self.file}")
        if not elsewhere:
            return None
        account = default_account() if self.accounts else None
        if account is not None:
            return self._checked(self._from_file(account), f"the file {account}")
        return self._from_keyring()

    def require(self) -> Key:
        """The key; a BackendError that says how to give it if there is none."""
        key = self.find()
        if key is None:
            raise BackendError(f"there is no key for {self.service}", backend=self.service, hint=self.hint)
        return key

    def _from_file(self, file: Path) -> str:
        try:
            status = file.stat()
            if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                mode = stat.S_IMODE(status.st_mode)
                raise self._error(f"the key file {file} can be read by others (mode {mode:o})", f"chmod 600 {file}")
            if status.st_size > (_MAX_ACCOUNT_BYTES if self.accounts else _MAX_FILE_BYTES):
                raise self._error(f"the key file {file} has {status.st_size} bytes and can be no key", self.hint)
            return file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise self._error(f"the key file {file} cannot be read: {error.strerror}", self.hint) from None
        except UnicodeDecodeError:
            raise self._error(f"the key file {file} is not text", self.hint) from None

    def _from_keyring(self) -> Key | None:
        if importlib.util.find_spec("keyring") is None:
            return None
        import keyring
        from keyring.errors import KeyringError

        try:
            text = keyring.get_password(KEYRING_SERVICE, self.service)
        except KeyringError:  # no keyring on this machine, or it is locked
            return None
        return self._checked(text, "the keyring of the system") if text else None

    def _checked(self, text: str, origin: str) -> Key:
        text = text.strip()
        if self.accounts and text.startswith("{"):
            self._check_account(text, origin)
            return Key(text, origin)
        # anything else cannot stand in a header, and the client's error would quote it
        if not text or not text.isascii() or any(not " " < char <= "~" for char in text):
            raise self._error(f"{origin} holds no key for {self.service}: a key is one word of ASCII", self.hint)
        return Key(text, origin)

    def _check_account(self, text: str, origin: str) -> None:
        try:
            kind = json.loads(text).get("type")
        except ValueError:
            kind = None
        if kind not in ACCOUNTS:
            raise self._error(f"{origin} holds no account for {self.service} of a kind that is understood", self.hint)

    def _error(self, message: str, hint: str) -> BackendError:
        return BackendError(message, backend=self.service, hint=hint)


def default_account() -> Path | None:
    """The file with the account that other programs of this user use with Google's services, if there is one.

    As in Google's "application default credentials"; the metadata server of its own machines is not asked.
    """
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if named:
        return Path(named)
    folder = os.environ.get("CLOUDSDK_CONFIG")
    if not folder:
        parent = Path(os.environ.get("APPDATA", "")) if os.name == "nt" else Path.home() / ".config"
        folder = str(parent / "gcloud")
    file = Path(folder) / "application_default_credentials.json"
    return file if file.is_file() else None
