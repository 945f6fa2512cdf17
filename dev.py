#!/usr/bin/env python3
"""Set up, run, test and check sottovoce from a clone, with nothing but Python and a C compiler.

    python3 dev.py demo [options]     install what the demo needs, and run it
    python3 dev.py test [options]     install what the tests need, and run them, on several cores; options go to pytest,
                                      which then takes one: `-m slow` runs those that take long and are left out
                                      unless asked for, a file those in it
    python3 dev.py check              linters, type checker, import contract, stubs, rules of the sources
    python3 dev.py bench CASE [...]   run a benchmark (`bench --list` names them)
    python3 dev.py clean              remove the virtual environment and what was built

Everything goes to `.venv` beside this file, installed anew only when the sources have changed. Standard library only.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Sequence
from pathlib import Path

# Before the first definition, whose annotations an old Python could not read.
if sys.version_info < (3, 11):  # noqa: UP036
    newer = next((name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)), None)
    hint = f"this machine has one: run `{newer} dev.py`" if newer else "see https://www.python.org/downloads/"
    sys.exit(f"dev.py: sottovoce needs Python 3.11 or later and this is {sys.version.split()[0]}; {hint}")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "sottovoce-installed.json"
LOG = VENV / "sottovoce-install.log"
SOURCES = ("pyproject.toml", "CMakeLists.txt", "src")
MADE = (".venv", "build", "dist", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache")

#: What may be missing, and how each package manager installs it ({v} is 3.11, {w} is 311).
INSTALL = {
    "compiler": {
        "apt-get": "sudo apt-get install gcc libc6-dev",
        "dnf": "sudo dnf install gcc",
        "zypper": "sudo zypper install gcc",
        "pacman": "sudo pacman -S gcc",
        "apk": "sudo apk add gcc musl-dev",
        "": "install gcc or clang",
    },
    "headers": {
        "apt-get": "sudo apt-get install python{v}-dev",
        "dnf": "sudo dnf install python{v}-devel",
        "zypper": "sudo zypper install python{w}-devel",
        "apk": "sudo apk add python3-dev",
        "": "install the headers of Python {v}",
    },
    "venv": {
        "apt-get": "sudo apt-get install python{v}-venv",
        "": "install the modules venv and ensurepip of Python {v}",
    },
}


class SetupError(Exception):
    """Something that the setup needs is missing; the message says what, and how to get it."""


def install_command(what: str) -> str:
    """The command that installs ``what`` (a key of INSTALL) on this machine, or advice where that is not known."""
    commands = INSTALL[what]
    manager = next((name for name in commands if name and shutil.which(name)), "")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return commands[manager].format(v=version, w=version.replace(".", ""))


def check_compiler() -> None:
    """Raise SetupError, naming the package, if no C compiler or no Python header can be found."""
    if sys.platform == "win32":
        if not (shutil.which("cl") or windows_build_tools()):
            raise SetupError(
                "no C compiler: install the Visual Studio Build Tools with `winget install "
                "Microsoft.VisualStudio.2022.BuildTools --override "
                '"--passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"`'
            )
        return
    if sys.platform == "darwin":
        if subprocess.run(["xcode-select", "-p"], capture_output=True, check=False).returncode != 0:
            raise SetupError("no C compiler: run `xcode-select --install`")
        return
    named = os.environ.get("CC", "").split()
    if named and not shutil.which(named[0]):
        raise SetupError(f"the C compiler named by CC, {named[0]!r}, is not there: unset CC or correct it")
    if not named and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        raise SetupError(f"no C compiler (cc, gcc or clang): {install_command('compiler')}")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        raise SetupError(f"no headers for this Python (Python.h): {install_command('headers')}")


def windows_build_tools() -> bool:
    """True if Visual Studio's installer knows of a C compiler."""
    programs = Path(os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)"))
    vswhere = programs / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    if not vswhere.is_file():
        return False
    tools = "Microsoft.VisualStudio.Component.VC.Tools.*"
    answer = subprocess.run(
        [vswhere, "-products", "*", "-requires", tools, "-property", "installationPath"],
        capture_output=True,
        text=True,
        check=False,
    )
    return bool(answer.stdout.strip())


def source_hash(root: Path) -> str:
    """SHA-256 of all that the installed package is made of, names included."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix not in (".pyc", ".so", ".pyd"):
                digest.update(file.relative_to(root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def with_included(extras: set[str]) -> set[str]:
    """The extras, and those that they include, as ``test`` includes ``sottovoce[offline]``."""
    import tomllib  # not among the first lines: an old Python has to come as far as being told that it is old

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted, found = set(extras), set[str]()
    while wanted:
        name = wanted.pop()
        found.add(name)
        own = [entry for entry in project["optional-dependencies"].get(name, []) if entry.startswith("sottovoce[")]
        wanted |= {other for entry in own for other in entry[entry.index("[") + 1 : -1].split(",")} - found
    return found


def venv_program(name: str) -> Path:
    """Path of a program in the virtual environment."""
    folder, suffix = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")
    return VENV / folder / f"{name}{suffix}"


def read_stamp() -> dict[str, object]:
    """What was installed last: ``hash``, ``extras``, ``python``; empty if that is not known."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(source: str, extras: Sequence[str]) -> None:
    """Remember what is installed: the hash of its sources, and its extras."""
    STAMP.write_text(json.dumps({"hash": source, "extras": extras, "python": sys.version}), encoding="utf-8")


def make_venv() -> None:
    """Create the virtual environment, in place of one that no longer works."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(f"this Python cannot make a virtual environment: {install_command('venv')}")
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(f"this Python cannot make a virtual environment: {(made.stdout + made.stderr).strip()}")


def venv_works(stamp: dict[str, object]) -> bool:
    """True if the environment was made by this version of Python and its interpreter still starts."""
    if stamp.get("python") != sys.version:
        return False
    try:
        return subprocess.run([venv_program("python"), "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def install(extra: str) -> None:
    """Make ``.venv`` hold the project as it is now, with ``extra`` and whichever extras it had before."""
    stamp = read_stamp()
    works = venv_works(stamp)
    known = stamp.get("extras") if works else None
    had = {str(name) for name in known} if isinstance(known, list) else set()
    now = source_hash(ROOT)
    if works and stamp.get("hash") == now and extra in with_included(had):
        return
    check_compiler()
    if not works:
        make_venv()
    extras = sorted(had | {extra})
    write_stamp("", sorted(had))  # until pip is done, what is installed agrees with no source
    pip = [venv_program("python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    with_progress(
        "Installing again, the sources have changed" if had else "Installing, this takes a minute or two",
        [*map(str, pip), f"{ROOT}[{','.join(extras)}]"],
    )
    write_stamp(now, extras)


def with_progress(words: str, command: Sequence[str]) -> None:
    """Run ``command`` into the log, with its time shown; on failure show the end of the log and raise SetupError."""
    started = time.monotonic()
    done = threading.Event()
    ticker = threading.Thread(target=show_seconds, args=(words, started, done), name="progress")
    with LOG.open("w", encoding="utf-8") as log:
        ticker.start()
        try:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, check=False).returncode
        finally:
            done.set()
            ticker.join()
    print(f"\r{words} ... {'done' if code == 0 else 'failed'} in {time.monotonic() - started:.0f} s", file=sys.stderr)
    if code != 0:
        tail = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        print(*tail, "", sep="\n", file=sys.stderr)
        raise SetupError(f"the installation failed; the whole log is {LOG}")


def show_seconds(words: str, started: float, done: threading.Event) -> None:
    """Show ``words`` and, on a terminal, the seconds that have passed, until ``done``."""
    print(f"{words} ...", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
    while sys.stderr.isatty() and not done.wait(1.0):
        print(f"\r{words} ... {time.monotonic() - started:.0f} s", end="", file=sys.stderr, flush=True)


def run(*command: str | Path) -> int:
    """Run a command to its end; Ctrl-C is its business, and ours is to wait until it has said goodbye."""
    # cython-lint looks for pycodestyle on PATH
    path = os.pathsep.join([str(venv_program("python").parent), os.environ.get("PATH", "")])
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env={**os.environ, "PATH": path})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def demo(arguments: Sequence[str]) -> int:
    """Run the demo."""
    install("offline")
    return run(venv_program("sottovoce"), "demo", *arguments)


def side_by_side() -> tuple[str, ...]:
    """Options of pytest. One worker has the sound card and mostly waits: one more than cores, four at most."""
    workers = min(4, (os.cpu_count() or 1) + 1)
    return "-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"


def test(arguments: Sequence[str]) -> int:
    """Run the tests."""
    install("test")
    return run(venv_program("python"), "-m", "pytest", *(arguments or side_by_side()))


def check(arguments: Sequence[str]) -> int:
    """Run every linter; all of them, even when an early one fails."""
    install("test")
    python = venv_program("python")
    steps: dict[str, Sequence[str | Path]] = {
        "ruff": (python, "-m", "ruff", "check", "."),
        "format": (python, "-m", "ruff", "format", "--check", "."),
        "mypy": (python, "-m", "mypy"),
        "cython-lint": (venv_program("cython-lint"), "src/native"),
        # import-linter and stubtest, and the rules that a machine can read off the sources
        "rules": (python, "-m", "pytest", "-q", "tests/rules"),
    }
    unknown = set(arguments) - set(steps)
    if unknown:
        raise SetupError(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(steps)}")
    failed = []
    for name, command in steps.items():
        if arguments and name not in arguments:
            continue
        print(f"== {name}", flush=True)
        if run(*command) != 0:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def bench(arguments: Sequence[str]) -> int:
    """Run a benchmark."""
    install("bench")
    return run(venv_program("python"), ROOT / "bench" / "run.py", *arguments)


def clean(arguments: Sequence[str]) -> int:
    """Remove what this file and the tools have made."""
    for name in MADE:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    return 0


COMMANDS = {"demo": demo, "test": test, "check": check, "bench": bench, "clean": clean}


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 if all is well, 2 if the command is unknown, 3 if the setup failed, else its own code."""
    if not arguments or arguments[0] not in COMMANDS:
        asked = bool(arguments) and arguments[0] in ("-h", "--help", "help")
        print(__doc__, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except SetupError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
