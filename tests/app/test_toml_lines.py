"""Lines of keys in a TOML file."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.app.toml_lines import key_lines, line_of, syntax_error_place

TEXT = '''\
# [not] = a key
top = 1

[a]
one = "[b]"  # two = 3
"quoted = key" = 'x = y'
'single' = """
two = 2
[c]
"""
list = [
  1,  # three = 3
  2,
]
in.side = {x = 1, y = 2}

  [ "b" . 'c' ]  # spaces
four=4
[[d]]
five = 5
'''


def test_every_key_is_found_on_its_line() -> None:
    tomllib.loads(TEXT)
    assert key_lines(TEXT) == {
        ("top",): 2,
        ("a",): 4,
        ("a", "one"): 5,
        ("a", "quoted = key"): 6,
        ("a", "single"): 7,
        ("a", "list"): 11,
        ("a", "in", "side"): 15,
        ("b", "c"): 17,
        ("b", "c", "four"): 18,
        ("d",): 19,
        ("d", "five"): 20,
    }


def test_a_key_without_a_line_of_its_own_stands_on_that_of_its_table() -> None:
    lines = key_lines(TEXT)
    assert line_of(("a", "in", "side", "x"), lines) == 15
    assert line_of(("a", "nowhere"), lines) == 4
    assert line_of(("nowhere",), lines) is None


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = ]\n", 2), ("a = 1\n\nb = '''\n", 3), ("", 1), ("=", 1)])
def test_a_syntax_error_has_a_line_and_no_place_in_its_text(text: str, line: int) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, found = syntax_error_place(error, text)
        assert found == line
        assert "(at " not in what
    else:
        assert text == ""


_KEY = st.one_of(st.from_regex(r"[a-z_-]{1,5}", fullmatch=True), st.sampled_from(['"a b"', "'='", '"#"', '"x\\"y"']))
_VALUE = st.sampled_from(["1", '"x = 1"', "'''\na = 1\n'''", "[\n1,\n]", "{x = 1}", '"""\n[t]\n"""', "1979-05-27"])


@given(st.lists(st.tuples(_KEY, _VALUE), unique_by=lambda pair: tuple(tomllib.loads(f"{pair[0]} = 1")), max_size=8))
def test_the_lines_of_any_table_are_found(pairs: list[tuple[str, str]]) -> None:
    text, wanted, line = "[t]\n", {("t",): 1}, 2
    for key, value in pairs:
        wanted["t", *tomllib.loads(f"{key} = 1")] = line
        text += f"{key} = {value}\n"
        line += value.count("\n") + 1
    assert key_lines(text) == wanted
