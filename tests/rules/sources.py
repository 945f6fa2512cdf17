"""The project's own files, and what the rules find in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "engine" / "sottovoce"
NATIVE = ROOT / "src" / "native"

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80

#: Documents whose links must lead somewhere.
DOCUMENTS = ("*.md", "docs/**/*.md", "bench/*.md")


def name_of(path: Path) -> str:
    """The path as it is written in messages."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def package_files() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def native_files() -> list[Path]:
    """Every Cython and C source."""
    return sorted(path for path in NATIVE.rglob("*") if path.suffix in {".pyx", ".pxd", ".c", ".h"})


def python_files() -> list[Path]:
    """Every Python file that is ours: package, tests, benchmarks, dev.py."""
    return [
        *package_files(),
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "bench").rglob("*.py")),
        ROOT / "dev.py",
    ]


def calls(source: str, wanted: Iterable[str]) -> list[str]:
    """``line: name`` of every call of one of the ``wanted`` names, as ``print`` or ``time.sleep``."""
    names = set(wanted)
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            found.append(f"{node.lineno}: {ast.unparse(node.func)}")
    return found


def lone_sleeps(source: str) -> list[int]:
    """Lines of ``time.sleep`` outside any ``while``: hoping that something has happened, not looking whether it has."""
    tree = ast.parse(source)
    looping = {id(node) for loop in ast.walk(tree) if isinstance(loop, ast.While) for node in ast.walk(loop)}
    sleeps = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep")
    return [node.lineno for node in sleeps if id(node) not in looping]


def broad_excepts(source: str) -> list[ast.ExceptHandler]:
    """Every ``except Exception``, ``except BaseException`` and bare ``except`` that keeps what it has caught.

    One that ends by raising it again only cleans up.
    """
    broad = {"Exception", "BaseException"}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            last = node.body[-1]
            if isinstance(last, ast.Raise) and last.exc is None:
                continue
            if any(each is None or ast.unparse(each) in broad for each in caught):
                found.append(node)
    return found


def unexplained_excepts(source: str) -> list[int]:
    """Lines of broad excepts with no comment of their own, from the line before to the first statement inside.

    What only silences a linter is no comment; words behind its code are.
    """
    lines = source.splitlines()
    silenced = re.compile(r"^\s*(noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[^]]*\])?)")
    found = []
    for handler in broad_excepts(source):
        comments = [line.partition("#")[2] for line in lines[handler.lineno - 2 : handler.body[0].lineno]]
        if all(len(silenced.sub("", comment).split()) < 2 for comment in comments):
            found.append(handler.lineno)
    return found


def long_functions(source: str, limit: int = MAX_FUNCTION_LINES) -> list[str]:
    """``name: lines`` of functions longer than ``limit``; the docstring is not counted, it is for another reader."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None and first.end_lineno is not None:
                lines -= first.end_lineno - first.lineno + 1
            if lines > limit:
                found.append(f"{node.name}: {lines}")
    return found


def code_of(source: str, suffix: str) -> str:
    """A source without its comments and docstrings."""
    if suffix in {".c", ".h"}:
        return re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
    return re.sub(r'""".*?"""|#[^\n]*', "", source, flags=re.DOTALL)


def holds_number(source: str, number: int, suffix: str = ".py") -> bool:
    """True if ``number`` stands in the code, comments and docstrings apart, as a number of its own."""
    return re.search(rf"(?<![\w.]){number}(?!\d)", code_of(source, suffix)) is not None


LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|<(?:img|a)\s[^>]*?(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings of a Markdown text."""
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def broken_links(path: Path) -> Iterator[str]:
    """Links of a Markdown file that lead to no file, or to no heading, of this repository."""
    text = path.read_text(encoding="utf-8")
    for match in LINK.finditer(FENCE.sub("", text)):
        link = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        known = anchors(target.read_text(encoding="utf-8")) if target.suffix == ".md" and target.exists() else {anchor}
        if not target.exists() or (anchor and anchor not in known):
            yield f"{name_of(path)}: {link}"
