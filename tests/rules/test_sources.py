"""Rules of STYLE.md that a machine can read off the sources. Each is shown to find what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.sources import (
    DOCUMENTS,
    MAX_FILE_LINES,
    ROOT,
    broad_excepts,
    broken_links,
    calls,
    holds_number,
    lone_sleeps,
    long_functions,
    name_of,
    native_files,
    package_files,
    python_files,
    unexplained_excepts,
)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_rules_see_the_sources() -> None:
    seen = {name_of(path) for path in [*python_files(), *native_files()]}
    assert {"src/engine/sottovoce/core/errors.py", "src/native/convert.pyx", "dev.py", "bench/run.py"} <= seen


def test_package_neither_prints_nor_sleeps() -> None:
    found = [
        f"{name_of(path)}:{call}" for path in package_files() for call in calls(read(path), ("print", "time.sleep"))
    ]
    assert found == []


def test_tests_do_not_sleep_and_hope() -> None:
    tests = [path for path in python_files() if path.name.startswith("test_")]
    assert [f"{name_of(path)}:{line}" for path in tests for line in lone_sleeps(read(path))] == []


def test_lone_sleep_is_found() -> None:
    assert lone_sleeps("import time\nwhile not ready():\n    time.sleep(0.01)\ntime.sleep(1)") == [4]


def test_call_is_found() -> None:
    assert calls("import time\ntime.sleep(1)\nif x:\n    print(2)", ("print", "time.sleep")) == [
        "2: time.sleep",
        "4: print",
    ]


def test_broad_except_says_why() -> None:
    found = [f"{name_of(path)}:{line}" for path in python_files() for line in unexplained_excepts(read(path))]
    assert found == []


def test_broad_excepts_are_rare() -> None:
    sources = [read(path) for path in package_files()]
    lines = sum(source.count("\n") for source in sources)
    assert sum(len(broad_excepts(source)) for source in sources) <= max(1, lines // 1000)


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("except Exception:", False),
        ("except Exception:  # noqa: BLE001", False),
        ("except (ValueError, Exception):", False),
        ("except:", False),
        ("except Exception:  # noqa: BLE001 a backend may raise anything", True),
        ("except BaseException:  # the thread must answer", True),
        ("except (\n    Exception\n) as error:  # the thread must answer", True),
        ("except ValueError:", True),
    ],
)
def test_broad_except_without_reason_is_found(line: str, explained: bool) -> None:
    source = f"try:\n    pass\n{line}\n    pass"
    assert unexplained_excepts(source) == ([] if explained else [3])


def test_broad_except_that_raises_again_needs_no_reason() -> None:
    assert unexplained_excepts("try:\n    pass\nexcept Exception:\n    clean()\n    raise") == []
    assert unexplained_excepts("try:\n    pass\nexcept Exception:\n    clean()\n    raise X from None") == [3]


def test_scale_of_int16_stands_in_one_file() -> None:
    sources = [*package_files(), *native_files()]
    assert len([name_of(path) for path in sources if holds_number(read(path), 32768, path.suffix)]) == 1


def test_number_is_found() -> None:
    assert holds_number("x * 32768.0f", 32768)
    assert not holds_number("x * 327680 + 132768 + a32768", 32768)
    assert not holds_number('"""By 32768."""\nx = 1  # 32768', 32768)
    assert holds_number("#define SCALE 32768.0f /* 2^15 */", 32768, ".h")
    assert not holds_number("/* by\n 32768 */ x; // 32768", 32768, ".c")


def test_files_are_short() -> None:
    lengths = {name_of(path): read(path).count("\n") for path in [*python_files(), *native_files()]}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_fit_a_screen() -> None:
    found = [f"{name_of(path)}:{function}" for path in python_files() for function in long_functions(read(path))]
    assert found == []


def test_long_function_is_found() -> None:
    body = "\n".join(f"    x = {i}" for i in range(80))
    assert long_functions(f"def f():\n{body}") == ["f: 81"]
    assert long_functions(f'def f():\n    """One."""\n{body[: body.rindex(chr(10))]}') == []


def test_links_of_documents_lead_somewhere() -> None:
    documents = [path for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))]
    assert ROOT / "README.md" in documents
    assert [link for path in documents for link in broken_links(path)] == []


def test_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A `b`, c!\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#a-b-c) [c](https://example.org/x)\n"
        '[d](missing.md) [e](other.md#nothing) <img src="no.svg">\n```\n[f](code.md)\n```\n',
        encoding="utf-8",
    )
    assert list(broken_links(page)) == ["page.md: missing.md", "page.md: other.md#nothing", "page.md: no.svg"]


def test_readme_begins_with_the_two_commands() -> None:
    commands = [line.removeprefix("$ ") for line in read(ROOT / "README.md").splitlines() if "python3 dev.py" in line]
    assert [command.split("  ")[0].strip() for command in commands[:2]] == [
        "python3 dev.py demo",
        "python3 dev.py test",
    ]
