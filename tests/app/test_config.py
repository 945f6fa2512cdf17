"""Where settings come from, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.app.config import ConfigProblems, Loaded, Origin, Override, load
from sottovoce.app.opening import settings_of
from sottovoce.app.reference import settings
from sottovoce.app.settings import AudioSettings, Config
from sottovoce.audio.lifecycle import LifecyclePolicy
from sottovoce.audio.portaudio import WantedWay
from sottovoce.audio.reflex import Reflex
from sottovoce.core.errors import ConfigError
from sottovoce.native.mixer import MAX_BLOCKSIZE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def problems(file: Path | None = None, env: dict[str, str] | None = None, **options: object) -> list[str]:
    overrides = [Override(key.replace("__", "."), value) for key, value in options.items()]
    with pytest.raises(ConfigProblems) as caught:
        load(file, env or {}, overrides)
    return [str(problem) for problem in caught.value.problems]


def load_text(file: Path, text: str, env: dict[str, str] | None = None) -> Loaded:
    file.write_text(text, encoding="utf-8")
    return load(file, env or {})


def test_defaults_stand_where_nothing_is_said(home: Path) -> None:
    loaded = load(None, {})
    assert loaded.config == Config()
    assert set(loaded.provenance.values()) == {Origin("default")}
    assert not loaded.path.exists()


def test_each_layer_is_stronger_than_the_one_before(file: Path) -> None:
    file.write_text("[tts]\nspeed = 1.1\nvolume = 0.5\nworkers = 5\n", encoding="utf-8")
    env = {"SOTTOVOCE_TTS_SPEED": "1.2", "SOTTOVOCE_TTS_VOLUME": "0.6"}
    loaded = load(file, env, [Override("tts.speed", "1.3", "--speed")])
    assert (loaded.config.tts.speed, loaded.config.tts.volume, loaded.config.tts.workers) == (1.3, 0.6, 5)
    assert loaded.provenance["tts.speed"] == Origin("option", "--speed")
    assert loaded.provenance["tts.volume"] == Origin("environment", "SOTTOVOCE_TTS_VOLUME")
    assert str(loaded.provenance["tts.workers"]) == f"{file}:4"
    assert loaded.provenance["tts.voice"] == Origin("default")


def test_the_last_of_two_options_counts() -> None:
    assert load(None, {}, [Override("tts.speed", "2"), Override("tts.speed", "1")]).config.tts.speed == 1


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("ASR_WORKERS", "4", "asr.workers", 4),
        ("USE_TTS_ENGINE", "espeak", "tts.backend", "espeak"),
        ("TTS_SPEED", "1.5", "tts.speed", 1.5),
        ("MIN_SEGMENT_MS", "900", "vad.min_segment_ms", 900),
    ],
)
def test_short_names_in_the_environment_are_understood(name: str, text: str, key: str, value: object) -> None:
    loaded = load(None, {name: text})
    assert loaded.config.get(key) == value
    assert loaded.provenance[key] == Origin("environment", name)


def test_the_long_name_is_stronger_than_the_short_one() -> None:
    assert load(None, {"SOTTOVOCE_ASR_WORKERS": "5", "ASR_WORKERS": "4"}).config.asr.workers == 5


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(None, {"SOTTOVOCE_ASR_WORKERS": "", "TTS_SPEED": ""}).config == Config()


def test_a_variable_names_the_file(file: Path) -> None:
    file.write_text("[tts]\nspeed = 2\n", encoding="utf-8")
    assert load(None, {"SOTTOVOCE_CONFIG": str(file)}).config.tts.speed == 2


def test_a_file_that_is_named_must_exist(file: Path) -> None:
    assert problems(file) == [f"{file}: there is no such file"]
    assert problems(None, {"SOTTOVOCE_CONFIG": str(file)}) == [f"{file}: there is no such file"]


def test_everything_wrong_is_told_at_once(file: Path) -> None:
    file.write_text('[tts]\nsped = 1\nspeed = 9\n\n[asr]\nworkers = "two"\n\n[voices]\nx = 1\n', encoding="utf-8")
    env = {"SOTTOVOCE_LLM_MAX_THESES": "9", "SOTTOVOCE_LLM_MAX_THESE": "1"}
    said = problems(file, env, log__level="loud", nothing=1)
    assert said == [
        f"{file}:8: there is no section [voices]",
        f"{file}:2: there is no setting tts.sped; did you mean tts.speed?",
        "SOTTOVOCE_LLM_MAX_THESE: there is no such variable; did you mean SOTTOVOCE_LLM_MAX_THESES?",
        "--set: there is no setting nothing",
        f"{file}:3: tts.speed = 9 is not allowed; allowed: a number from 0.5 to 3",
        f'{file}:6: asr.workers = "two" is not allowed; allowed: a whole number from 1 to 16',
        'SOTTOVOCE_LLM_MAX_THESES: llm.max_theses = "9" is not allowed; allowed: a whole number from 1 to 8',
        '--set: log.level = "loud" is not allowed; allowed: "debug", "info", "warning" or "error"',
    ]


def test_an_error_says_what_to_do_and_is_a_config_error(file: Path) -> None:
    file.write_text("[tts]\nspeed = 9\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"tts\.speed = 9") as caught:
        load(file, {})
    assert caught.value.key == "tts.speed"
    assert "--explain" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[tts]\nspeed = = 2\n", 2, "is not TOML"),
        ("[tts]\nspeed = 2\nspeed = 2\n", 3, "is not TOML"),
        ("[tts]\nspeed = [1,\n", 2, "is not TOML"),
        ("[tts]\nvoice = 'x\n", 2, "is not TOML"),
        ("tts = 3\n", 1, "tts is a section; write [tts] and its keys below"),
        ("[[tts]]\nspeed = 2\n", 1, "tts is a section; write [tts] and its keys below"),
        ("speed = 2\n", 1, "there is no setting speed outside a section; tts.speed belongs in its section"),
        ("\n[tss]\nspeed = 2\n", 2, "there is no section [tss]; did you mean [tts]?"),
        ("[asr]\nworkers = true\n", 2, "asr.workers = true is not allowed"),
        ("[asr]\nworkers = 2.5\n", 2, "asr.workers = 2.5 is not allowed"),
        ("[asr]\nworkers = [2]\n", 2, "asr.workers = [2] is not allowed"),
        ('[session]\nstore = "on"\n', 2, 'session.store = "on" is not allowed; allowed: true or false'),
        ("[tts]\nspeed = nan\n", 2, "tts.speed = nan is not allowed"),
        ("[tts]\nspeed = inf\n", 2, "tts.speed = inf is not allowed"),
        ("[audio]\nlatency = -1\n", 2, 'audio.latency = -1 is not allowed; allowed: "auto", "low", "high"'),
        ('[tts]\nbackend = "espeek"\n', 2, 'tts.backend = "espeek" is not allowed; allowed: "espeak"'),
        ('[asr]\nlanguage = "English"\n', 2, 'asr.language = "English" is not allowed; allowed: two letters'),
        ('[notes]\npath = "~nobody-of-that-name/x"\n', 2, "notes.path = "),
        ("[notes]\npath = 3\n", 2, "notes.path = 3 is not allowed"),
        ("[tts]\nspeed.x = 2\n", 2, "tts.speed = {"),
        ("tts = {speed = 9}\n", 1, "tts.speed = 9 is not allowed"),
        ("tts.speed = 9\n", 1, "tts.speed = 9 is not allowed"),
        (
            "[vad]\nmin_segment_ms = 4000\nmax_segment_s = 3\n",
            3,
            "vad.max_segment_s = 3 is not above vad.min_segment_ms = 4000",
        ),
    ],
)
def test_an_error_in_the_file_names_its_line(file: Path, text: str, line: int, what: str) -> None:
    file.write_text(text, encoding="utf-8")
    (said,) = problems(file)
    assert said.startswith(f"{file}:{line}: {what}")


def test_an_unfinished_value_is_found_at_the_end_of_the_file(file: Path) -> None:
    file.write_text('[tts]\nvoice = """x\n\n# more\n', encoding="utf-8")
    (said,) = problems(file)
    assert said.startswith(f"{file}:4: is not TOML")


def test_a_file_that_is_no_text_is_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"[tts]\nvoice = '\xff\xfe'\n")
    assert problems(file) == [f"{file}: is not UTF-8 text"]
    file.write_bytes(b"#" * (1 << 21))
    assert "larger than 1 MiB" in problems(file)[0]
    assert problems(tmp_path)[0].startswith(f"{tmp_path}: cannot be read")


def test_a_byte_order_mark_is_no_error(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[tts]\nspeed = 2\n")
    assert load(file, {}).config.tts.speed == 2


def test_the_value_of_an_unknown_key_is_not_shown(file: Path) -> None:
    file.write_text('[tts]\napi_key = "sk-secret"\n', encoding="utf-8")
    assert "secret" not in "".join(problems(file))


def test_a_relative_path_counts_from_where_it_was_given(file: Path, home: Path) -> None:
    assert load_text(file, '[notes]\npath = "mine"\n').config.notes.path == file.parent / "mine"
    assert load_text(file, '[notes]\npath = "~/mine"\n').config.notes.path == home / "mine"
    assert load_text(file, '[notes]\npath = ""\n').config.notes.path is None
    assert load(None, {}, [Override("notes.path", "mine")]).config.notes.path == Path("mine")


def test_a_device_is_an_id_or_a_name_or_the_default(file: Path) -> None:
    audio = load_text(file, '[audio]\ninput = 0\noutput = "usb"\n').config.audio
    assert (audio.input, audio.output) == (0, "usb")
    audio = load(None, {"SOTTOVOCE_AUDIO_INPUT": "0"}, [Override("audio.output", "")]).config.audio
    assert (audio.input, audio.output) == (0, None)


def test_variables_of_others_are_left_alone(home: Path) -> None:
    assert load(None, {"SOTTOVOCE_SHARED": "/x", "TTS": "1", "PATH": "/bin"}).config == Config()


@pytest.mark.parametrize("name", ["SOTTOVOCE_TTS_SPED", "SOTTOVOCE_TTTS_SPEED", "SOTTOVOCE_CONFG"])
def test_a_mistyped_variable_is_an_error(home: Path, name: str) -> None:
    (said,) = problems(None, {name: "1"})
    assert said.startswith(f"{name}: there is no such variable; did you mean SOTTOVOCE_")


@given(st.sampled_from(list(settings())), st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_text_is_a_value_or_a_config_error(key: str, text: str) -> None:
    wrong: tuple[str, ...] = ()
    layer = "option"
    try:
        layer = load(None, {}, [Override(key, text)]).provenance[key].layer
    except ConfigProblems as error:
        wrong = tuple(problem.key for problem in error.problems)
    assert (wrong, layer) in [((), "option"), ((key,), "option")]


@given(st.text(max_size=200))
def test_any_file_is_read_or_refused_with_its_name(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    names = [str(file)]
    try:
        load(file, {})
    except ConfigProblems as error:
        names = [problem.origin.name for problem in error.problems]
    assert set(names) == {str(file)}


def test_settings_and_engine_agree_on_the_reflex() -> None:
    audio, reflex = AudioSettings(), Reflex()
    assert audio.reflex == "off", "only whoever wears an earpiece wants it"
    names = {"reflex_threshold_dbfs": "threshold_dbfs", "reflex_margin_db": "margin_db", "reflex_hold_s": "hold_s"}
    for name, of_reflex in {**names, "duck_gain_db": "duck_gain_db"}.items():
        assert getattr(audio, name) == getattr(reflex, of_reflex), "one default"
        limits = AudioSettings.model_json_schema()["properties"][name]
        for allowed in (limits["minimum"], limits["maximum"]):
            Reflex(**{of_reflex: allowed})
        for refused in (limits["minimum"] - 1, limits["maximum"] + 1):
            with pytest.raises(ConfigError, match=f"{of_reflex} is"):
                Reflex(**{of_reflex: refused})


def test_settings_and_engine_agree_on_what_is_allowed() -> None:
    audio = AudioSettings()
    policy = LifecyclePolicy()
    for name in ("device_query_cooldown_s", "max_recreate_per_minute", "slow_recreate_s", "hung_recreate_s"):
        assert getattr(audio, name) == getattr(policy, name), "one default"
        limits = AudioSettings.model_json_schema()["properties"][name]
        least, most = limits["minimum"], limits["maximum"]
        for value in (least, most):
            LifecyclePolicy(**{name: value})
        for value in (least - 1, most + 1):
            with pytest.raises(ConfigError, match=rf"{name} is {value}; allowed: "):
                LifecyclePolicy(**{name: value})
    (frames,) = (
        kind for kind in AudioSettings.model_json_schema()["properties"]["blocksize"]["anyOf"] if "minimum" in kind
    )
    assert (frames["minimum"], frames["maximum"]) == (1, MAX_BLOCKSIZE)
    assert get_args(WantedWay) == get_args(AudioSettings.model_fields["portaudio"].annotation)


@pytest.mark.parametrize(
    ("settings", "model", "form"),
    [
        (("llm.style=theses",), "gemini-flash-lite-latest", "theses"),
        (("llm.style=answer",), "gemini-flash-latest", "answer"),
        (("llm.style=answer", "gemini.answer_model="), "gemini-flash-lite-latest", "answer"),
    ],
)
def test_answers_are_written_by_the_model_that_is_set_for_them(
    settings: tuple[str, ...], model: str, form: str
) -> None:
    config = load(None, {}, [Override(*setting.split("=", 1)) for setting in settings]).config
    opened = settings_of(config, "llm", "gemini")
    assert (opened["model"], opened["form"]) == (model, form)
