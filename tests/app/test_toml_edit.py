"""Settings changed in a file that somebody has written."""

from __future__ import annotations

import tomllib

import pytest

from sottovoce.app.toml_edit import with_settings
from sottovoce.app.toml_text import commented_file

FILE = """\
# mine
[llm]
backend = "notes"  # for now
max_theses = 3

[openai]
# llm_model = "gpt-4o"
key_file = \"\"\"
key\"\"\"
[tts]
speed = 1.5
"""


def test_value_is_changed_in_place_and_the_rest_stays() -> None:
    changed = with_settings(FILE, {"llm.backend": "openai, notes", "openai.llm_model": "gpt-4o-mini"})
    assert changed == FILE.replace('backend = "notes"  # for now', 'backend = "openai, notes"').replace(
        'key"""\n', 'key"""\nllm_model = "gpt-4o-mini"\n'
    )


@pytest.mark.parametrize("text", ["", "\n", "[tts]\nspeed = 1", "# only this\n"])
def test_section_that_is_missing_is_added_at_the_end(text: str) -> None:
    changed = with_settings(text, {"llm.backend": "openai", "llm.max_theses": 2})
    assert tomllib.loads(changed) == {**tomllib.loads(text), "llm": {"backend": "openai", "max_theses": 2}}
    assert changed.startswith(text.rstrip("\n"))


def test_file_that_explains_every_setting_can_be_changed() -> None:
    changed = with_settings(commented_file(), {"llm.backend": "gemini", "gemini.llm_model": 'odd"name'})
    assert tomllib.loads(changed)["gemini"] == {"llm_model": 'odd"name'}
    assert tomllib.loads(changed)["llm"] == {"backend": "gemini"}


@pytest.mark.parametrize("text", ['llm = { backend = "notes" }'])
def test_what_only_its_writer_can_change_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="only its writer can change"):
        with_settings(text, {"llm.backend": "openai"})


@pytest.mark.parametrize("text", ['[llm]\n"backend" = "a"', '[ llm ]\nbackend="a"'])
def test_key_is_found_however_it_is_spelled(text: str) -> None:
    assert tomllib.loads(with_settings(text, {"llm.backend": "openai"})) == {"llm": {"backend": "openai"}}
