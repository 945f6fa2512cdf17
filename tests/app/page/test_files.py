"""The files of the page: how large they are, what they must not hold, and whether every word has its translation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sottovoce.app.timeline import NAMES
from tests.rules.sources import PACKAGE, ROOT

STATIC = PACKAGE / "app" / "web" / "static"
MOST_BYTES = 60_000

#: What would let words become markup or code, which the browser would refuse, too.
FORBIDDEN = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    "srcdoc",
    "javascript:",
)

#: Text of the document that is the same in every language.
SAME = {"sottovoce", "◐", "?", "JavaScript is needed. · Нужен JavaScript."}


def text_of(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def entries(language: str) -> dict[str, str]:
    """A part of the dictionary: every entry is a line of its own."""
    body = text_of("dictionary.js").split(f"export const {language} = {{\n")[1].split("\n};")[0]
    found = {}
    for line in body.splitlines():
        match = re.fullmatch(r'\t(?:"(?P<quoted>[^"]+)"|(?P<bare>\w+)): (?P<value>".+"),', line)
        assert match is not None, line
        key = match["quoted"] or match["bare"]
        assert key not in found, f"{key} is there twice"
        found[key] = json.loads(match["value"])
    return found


class Document(HTMLParser):
    """Collects what a reader sees or hears, and what is not allowed to be there."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.inline: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        for name, value in attrs:
            if name in ("aria-label", "placeholder", "title", "alt") and value:
                self.texts.add(value)
            if name.startswith("on") or name == "style" or (name in ("src", "href") and "//" in (value or "")):
                self.inline.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open not in ("title",):
            self.texts.add(data.strip())
        if data.strip() and self._open in ("script", "style"):
            self.inline.append(self._open)


def parsed() -> Document:
    document = Document()
    document.feed(text_of("index.html"))
    return document


def calls_of_t(source: str) -> Iterator[str]:
    """The literals inside every ``t(...)`` of a module."""
    for found in re.finditer(r"(?<![\w.])t\(", source):
        depth, at = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(source[at], 0)
            at += 1
        inside = re.sub(r'(?:[=!]==|\?\?) "[^"]*"|[\w$]+\("[^"]*"\)', "", source[found.end() : at - 1])
        yield from re.findall(r'"([^"]+)"', inside)


def test_page_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in STATIC.iterdir()}
    assert {"index.html", "main.js", "style.css"} <= set(sizes)
    assert sum(sizes.values()) <= MOST_BYTES, sizes


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.js")))
def test_words_never_become_markup_or_code(name: str) -> None:
    assert [word for word in FORBIDDEN if word in text_of(name)] == []


def test_page_takes_nothing_from_elsewhere_and_has_nothing_inline() -> None:
    assert parsed().inline == []
    for path in STATIC.iterdir():
        elsewhere = re.findall(r"https?://[^\"'\s)]+", path.read_text(encoding="utf-8"))
        assert set(elsewhere) <= {"http://www.w3.org/2000/svg"}, path.name
    assert "@import" not in text_of("style.css")
    assert "url(" not in text_of("style.css")


def test_every_word_has_its_translation() -> None:
    russian = entries("russian")
    used = parsed().texts - SAME
    for path in STATIC.glob("*.js"):
        used |= set(calls_of_t(path.read_text(encoding="utf-8")))
    assert sorted(used - set(russian)) == []
    assert all(re.search("[а-яА-Я]", words) for words in russian.values())


def test_translation_has_the_same_places_to_fill_in() -> None:
    places = re.compile(r"\{\w+\}")
    wrong = [key for key, words in entries("russian").items() if set(places.findall(key)) != set(places.findall(words))]
    assert wrong == []


def names_of_the_server() -> set[str]:
    """The states and speakers of the contract, and the stages."""
    contract = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    alternatives = re.findall(r'(?:speaker|state|advance): ("\w+"(?: \| "\w+")+)', contract)
    states = re.findall(r"`state` is one of ([^.]+)\.", contract)
    assert len(alternatives) >= 5
    assert len(states) == 1
    return {*re.findall(r"\w+", " ".join(alternatives)), *re.findall(r"`(\w+)`", states[0]), *NAMES.values()}


def test_every_name_of_the_server_has_its_translation() -> None:
    assert sorted(names_of_the_server() - {"waiting"} - set(entries("russian"))) == []


def test_no_translation_is_left_over() -> None:
    literals = parsed().texts | names_of_the_server()
    for path in STATIC.glob("*.js"):
        if path.name != "dictionary.js":
            literals |= set(re.findall(r'"([^"\n]*)"', path.read_text(encoding="utf-8")))
            literals |= set(re.findall(r"`([^`$\n]+)`", path.read_text(encoding="utf-8")))
    assert sorted(set(entries("russian")) - literals) == []
    assert set(entries("english")) <= names_of_the_server()


def test_document_with_faults_is_found_out() -> None:
    document = Document()
    document.feed("<p style='x' onclick='y'>Word</p><script>z</script><img src='//elsewhere/a.png' alt='Picture'>")
    assert document.inline == ["p style", "p onclick", "script", "img src"]
    assert {"Word", "Picture"} <= document.texts
    assert list(calls_of_t('x.t("no"); t(f("no") ? "A" : "B"); at("no")')) == ["A", "B"]
    assert Path(STATIC / "index.html").exists()
