"""The command that installs something on this very system."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Mapping

#: Package managers in the order in which they are looked for, and how each installs.
_INSTALL = {
    "apt-get": "apt-get install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
    "apk": "apk add",
    "brew": "brew install",
}

#: What a part is called by each of them; a part that one does not have is absent.
PORTAUDIO = {
    "apt-get": "libportaudio2",
    "dnf": "portaudio",
    "pacman": "portaudio",
    "zypper": "libportaudio2",
    "apk": "portaudio",
    "brew": "portaudio",
}
#: What lets PortAudio, which knows ALSA alone on Linux, reach the devices of a sound server.
ALSA_PLUGINS = {
    "apt-get": "libasound2-plugins",
    "dnf": "alsa-plugins-pulseaudio",
    "pacman": "alsa-plugins",
    "zypper": "alsa-plugins-pulse",
    "apk": "alsa-plugins-pulse",
}

#: How the sound servers of Linux are started, by the program that tells of each.
_START_SOUND = {
    "pipewire-pulse": "systemctl --user start pipewire pipewire-pulse",
    "pulseaudio": "pulseaudio --start",
}


def package_manager() -> str | None:
    """The package manager of this system, None if it is none that we know."""
    return next((name for name in _INSTALL if shutil.which(name)), None)


def system_install(packages: Mapping[str, str]) -> str:
    """The command that installs a system package, or what to look for where we know no command.

    Parameters
    ----------
    packages : mapping of str to str
        The package's name for each package manager, as :data:`PORTAUDIO`.
    """
    manager = package_manager()
    if manager is None or manager not in packages:
        return f"install the system package {' or '.join(sorted(set(packages.values())))}"
    command = f"{_INSTALL[manager]} {packages[manager]}"
    return f"sudo {command}" if manager != "brew" and _needs_sudo() else command


def sound_advice() -> str:
    """What to do where there is no audio device of the wanted kind."""
    plug_in = "plug in or switch on a headset"
    if not sys.platform.startswith("linux"):
        return plug_in
    start = next((command for name, command in _START_SOUND.items() if shutil.which(name)), None)
    if start is None:
        return plug_in
    return f"{plug_in}, or: {start}, and if that does not show it: {system_install(ALSA_PLUGINS)}"


def pip_install(requirement: str) -> str:
    """The command that installs a Python package into the environment that runs us."""
    python = _shown_python()
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {python} {shlex.quote(requirement)}"
    return f"{python} -m pip install {shlex.quote(requirement)}"


def _shown_python() -> str:
    found = shutil.which("python")
    same = found is not None and os.path.realpath(found) == os.path.realpath(sys.executable)
    return "python" if same and sys.prefix == _prefix_of(found) else shlex.quote(sys.executable)


def _prefix_of(python: str | None) -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(python))) if python else ""


def _needs_sudo() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() != 0 and shutil.which("sudo") is not None
