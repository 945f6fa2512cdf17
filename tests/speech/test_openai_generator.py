"""The generator `openai` with its real client against the emulator: what goes out, and every way to fail."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError, ConfigError
from sottovoce.speech.llm.base import Delta, Generator, Question
from sottovoce.speech.registry import check_backend, open_generator
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')

KEY = "sk-planted-0123456789abcdef"
ASKED = "when do we launch, said somebody in confidence"
THESES = ("On the third of June", "First in Europe", "Then everywhere")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        started.knows["when do we launch"] = THESES
        yield started


@pytest.fixture
def generator(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generator]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    opened = open_generator("openai", base_url=emulator.openai_url, first_token_s=0.5, stall_s=0.5)
    with closing(opened):
        yield opened


def ask(generator: Generator, cancel: CancelToken | None = None) -> list[Delta]:
    return list(generator.generate(Question(ASKED, "en", 3), cancel or CancelToken()))


def lines(deltas: list[Delta]) -> list[str]:
    return "".join(delta.text for delta in deltas).splitlines()


def test_request_is_that_of_a_chat_with_the_limits_asked_for(generator: Generator, emulator: Emulator) -> None:
    assert lines(ask(generator)) == list(THESES)
    request = emulator.wait_for("chat")
    body = request.json
    assert (body["model"], body["stream"], body["max_tokens"], body["temperature"]) == ("gpt-4o-mini", True, 180, 0.3)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_theses_of_no_note_come_from_the_model(generator: Generator) -> None:
    assert {delta.source for delta in ask(generator)} == {"gpt-4o-mini (openai)"}


def test_connection_is_kept_from_warming_through_all_answers(generator: Generator, emulator: Emulator) -> None:
    generator.warm()
    for _ in range(3):
        ask(generator)
    assert {request.connection for request in emulator.requests} == {emulator.requests[0].connection}
    assert len(emulator.made("chat")) == 3


@pytest.mark.parametrize(
    ("does", "words", "retryable", "hint"),
    [
        (Does(status=401, code="invalid_api_key"), "refused the key (401, invalid_api_key)", False, "OPENAI_API_KEY"),
        (Does(status=403), "refused the key (403)", False, "OPENAI_API_KEY"),
        (Does(status=404, code="model_not_found"), "knows no model 'gpt-4o-mini'", False, "openai.llm_model"),
        (Does(status=400), "refused the request (400)", False, "openai.llm_model"),
        (Does(status=429), "too many requests (429)", True, "second backend"),
        (Does(status=429, code="insufficient_quota"), "nothing is left to spend", False, "plan"),
        (Does(status=500), "has failed (500)", True, ""),
        (Does(status=503, garbage=b"\xff\xfe<html>"), "has failed (503)", True, ""),
        (Does(status=307, headers={"Location": "http://127.0.0.1:9/"}), "elsewhere (307)", False, "base_url"),
        (Does(cut_after=0), "connection was lost", True, "reaches 127.0.0.1"),
        (Does(cut_after=2), "connection was lost", True, "reaches 127.0.0.1"),
        (Does(end_after=2), "ended its answer in the middle", True, ""),
        (Does(error_after=2), "failed in the middle", True, ""),
        (Does(garbage=b"data: {nonsense\n\n"), "cannot be understood", False, "taken for"),
        (Does(garbage=b'data: {"x": 1}\n\n'), "cannot be understood", False, "taken for"),
        (Does(garbage=b"<html>welcome</html>", content_type="text/html"), "cannot be understood", False, "taken for"),
    ],
)
def test_failure_is_told_with_its_kind_and_what_to_do(
    generator: Generator, emulator: Emulator, does: Does, words: str, retryable: bool, hint: str
) -> None:
    emulator.script("chat", does)
    with pytest.raises(BackendError) as caught:
        ask(generator)
    error = caught.value
    assert words in error.message
    assert (error.backend, error.retryable) == ("openai", retryable)
    assert hint in error.hint
    shown = "".join(traceback.format_exception(error)) + error.hint
    assert [secret for secret in (KEY, "sk-emul", "private", "launch") if secret in shown] == []
    assert lines(ask(generator)) == list(THESES)  # the next question is answered as if nothing had been


def test_wish_of_the_service_when_to_be_asked_again_is_kept(generator: Generator, emulator: Emulator) -> None:
    emulator.script("chat", Does(status=429, headers={"Retry-After": "7"}), Does(status=429))
    waits = []
    for _ in range(2):
        with pytest.raises(BackendError) as caught:
            ask(generator)
        waits.append(caught.value.retry_after_s)
    assert waits == [7.0, None]


@pytest.mark.parametrize(
    ("does", "words"),
    [
        (Does(delay_s=60.0), "gave no answer for 0.5 s"),
        (Does(comments_s=60.0), "gave no answer for 0.5 s"),
        (Does(stall_after=0), "gave no answer for 0.5 s"),
        (Does(stall_after=2), "in the middle of an answer and was silent for 0.5 s"),
    ],
)
def test_deadline_is_our_own_and_closes_the_connection(
    generator: Generator, emulator: Emulator, does: Does, words: str
) -> None:
    emulator.script("chat", does)
    with pytest.raises(BackendTimeoutError, match=words) as caught:
        ask(generator)
    assert caught.value.retryable
    assert emulator.wait_for("chat").gone.wait(10.0)


def test_slow_drip_is_no_stall(generator: Generator, emulator: Emulator) -> None:
    emulator.script("chat", Does(every_s=0.05))
    assert lines(ask(generator)) == list(THESES)


@pytest.mark.parametrize("does", [Does(delay_s=60.0), Does(comments_s=60.0), Does(stall_after=2)])
def test_cancellation_ends_a_wait_and_closes_the_connection(emulator: Emulator, does: Does) -> None:
    emulator.script("chat", does)
    cancel, given = CancelToken(), []
    with closing(open_generator("openai", base_url=emulator.openai_url, first_token_s=60.0, stall_s=60.0)) as generator:
        thread = threading.Thread(target=lambda: given.extend(ask(generator, cancel)))
        thread.start()
        request = emulator.wait_for("chat")
        cancel.cancel()
        thread.join(10.0)
        assert not thread.is_alive()
        assert request.gone.wait(10.0)


def test_close_ends_a_wait_with_an_error(emulator: Emulator) -> None:
    emulator.script("chat", Does(stall_after=1))
    generator = open_generator("openai", base_url=emulator.openai_url, first_token_s=60.0, stall_s=60.0)
    stream = iter(generator.generate(Question(ASKED, "en", 3), CancelToken()))
    next(stream)
    generator.close()
    with pytest.raises(BackendError, match="has been closed"):
        list(stream)
    with pytest.raises(BackendError, match="has been closed"):
        ask(generator)


def test_no_connection_is_an_error_that_a_retry_may_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_generator("openai", base_url="http://127.0.0.1:9/v1")) as generator:
        with pytest.raises(BackendError, match="cannot be reached") as caught:
            ask(generator)
        assert caught.value.retryable
        generator.warm()  # the first call will tell


def test_warming_tells_of_a_refused_key_and_an_unknown_model(generator: Generator, emulator: Emulator) -> None:
    emulator.script("model", Does(status=401), Does(status=404, code="model_not_found"), Does(status=404))
    with pytest.raises(BackendError, match="refused the key"):
        generator.warm()
    with pytest.raises(BackendError, match="knows no model"):
        generator.warm()
    generator.warm()  # a server that does not tell of its models


def test_key_is_needed_for_openai_alone(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    with closing(open_generator("openai")) as generator, pytest.raises(BackendError, match="there is no key"):
        generator.warm()
    with closing(open_generator("openai", base_url=emulator.openai_url)) as generator:
        ask(generator)
    assert emulator.wait_for("chat").headers["authorization"] == "Bearer none"


@pytest.mark.parametrize("url", ["localhost:11434/v1", "ftp://localhost", "http://", "http://host:port/v1"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a server"):
        open_generator("openai", base_url=url)


def test_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        open_generator("openai", base_url="https://me:secret@host/v1")
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def checked(**settings: object) -> str:
    return check_backend("llm", "openai", **{"model": "m", "base_url": "", "key_file": None, **settings})


def test_check_says_where_the_key_comes_from_and_when_it_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert checked() == "m at api.openai.com, key from the variable OPENAI_API_KEY"
    assert checked(base_url="http://10.0.0.1:8000/v1").endswith("which is not sent over http")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert checked(base_url="http://localhost:11434/v1") == "m at localhost:11434, no key"
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    assert checked(key_file=tmp_path / "key").startswith("m at api.openai.com, key from the file ")


def test_key_never_travels_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    from sottovoce.speech.remote.openai_client import OpenAIConnection, server_of

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    sent = {
        url: OpenAIConnection(server_of(url, "m", "openai.llm_model", None)).client.api_key
        for url in ("https://10.0.0.1/v1", "http://127.0.0.1/v1", "http://10.0.0.1/v1", "http://api.openai.com/v1")
    }
    assert [url for url, key in sent.items() if key == KEY] == ["https://10.0.0.1/v1", "http://127.0.0.1/v1"]
