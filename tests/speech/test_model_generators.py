"""Generators that ask a service, with their real clients against the emulator: what goes out, every way to fail."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError, ConfigError
from sottovoce.speech.llm.base import Delta, Generator, Question
from sottovoce.speech.registry import check_backend, open_generator
from sottovoce.speech.remote import server
from tests.contract.opening import PATIENCE
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')
pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')

KEY = "sk-planted-0123456789abcdef"
ASKED = "when do we launch, said somebody in confidence"
THESES = ("On the third of June", "First in Europe", "Then everywhere")


@dataclass(frozen=True)
class Named:
    """What a service is called in its own words."""

    name: str
    route: str
    model: str
    variable: str
    header: str
    host: str

    def url(self, emulator: Emulator) -> str:
        return emulator.openai_url if self.name == "openai" else emulator.url


OPENAI = Named("openai", "chat", "gpt-4o-mini", "OPENAI_API_KEY", "authorization", "api.openai.com")
GEMINI = Named(
    "gemini",
    "gemini",
    "gemini-flash-lite-latest",
    "GEMINI_API_KEY",
    "x-goog-api-key",
    "generativelanguage.googleapis.com",
)


@pytest.fixture(params=[OPENAI, GEMINI], ids=lambda service: service.name)
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Named:
    for named in (OPENAI, GEMINI):
        monkeypatch.delenv(named.variable, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    found: Named = request.param
    return found


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        started.knows["when do we launch"] = THESES
        yield started


@pytest.fixture
def generator(service: Named, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generator]:
    monkeypatch.setenv(service.variable, KEY)
    with closing(open_generator(service.name, base_url=service.url(emulator), **PATIENCE["llm"])) as opened:
        opened.warm()
        yield opened


def ask(generator: Generator, cancel: CancelToken | None = None, max_theses: int = 3) -> list[Delta]:
    return list(generator.generate(Question(ASKED, "en", max_theses), cancel or CancelToken()))


def lines(deltas: list[Delta]) -> list[str]:
    return "".join(delta.text for delta in deltas).splitlines()


def test_request_to_openai_is_a_chat_with_the_limits_asked_for(emulator: Emulator) -> None:
    with closing(open_generator("openai", base_url=emulator.openai_url, **PATIENCE["llm"])) as generator:
        assert lines(ask(generator)) == list(THESES)
    body = emulator.wait_for("chat").json
    assert (body["model"], body["stream"], body["max_tokens"], body["temperature"]) == ("gpt-4o-mini", True, 180, 0.3)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_request_to_gemini_is_of_the_pinned_version_and_asks_for_no_thinking(emulator: Emulator) -> None:
    with closing(open_generator("gemini", base_url=emulator.url, **PATIENCE["llm"])) as generator:
        assert lines(ask(generator)) == list(THESES)
    request = emulator.wait_for("gemini")
    assert request.path == "/v1beta/models/gemini-flash-lite-latest:streamGenerateContent?alt=sse"
    config = request.json["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"]) == (0.3, 180)
    assert list(config["thinkingConfig"].values()) == [0]  # the service takes its name in either case


def test_key_travels_in_a_header_alone(generator: Generator, service: Named, emulator: Emulator) -> None:
    ask(generator)
    request = emulator.wait_for(service.route)
    assert request.headers[service.header].endswith(KEY)
    assert KEY not in request.path + str(request.body)


def test_theses_of_no_note_come_from_the_model(generator: Generator, service: Named) -> None:
    assert {delta.source for delta in ask(generator)} == {f"{service.model} ({service.name})"}


def test_connection_is_kept_from_warming_through_all_answers(
    generator: Generator, service: Named, emulator: Emulator
) -> None:
    for _ in range(3):
        ask(
            generator, max_theses=8
        )  # more than there are: read to its end, an answer gives its connection back at once
    assert {request.connection for request in emulator.requests} == {emulator.requests[0].connection}
    assert (len(emulator.made("model")), len(emulator.made(service.route))) == (1, 3)


@pytest.mark.parametrize(
    ("does", "words", "retryable", "hint"),
    [
        (Does(status=401, code="invalid_api_key"), "refused the key (401", False, "_API_KEY"),
        (Does(status=403), "refused the key (403", False, "_API_KEY"),
        (Does(status=404, code="model_not_found"), "knows no model", False, "llm_model"),
        (Does(status=400), "refused the request (400", False, "llm_model"),
        (Does(status=429), "too many requests (429", True, "second backend"),
        (Does(status=429, code="insufficient_quota"), "nothing is left to spend", False, "plan"),
        (Does(status=500), "has failed (500", True, ""),
        (Does(status=503, garbage=b"<html>private</html>"), "has failed (503", True, ""),
        (Does(status=307, headers={"Location": "http://127.0.0.1:9/"}), "elsewhere (307", False, "base_url"),
        (Does(cut_after=0), "connection was lost", True, "reaches 127.0.0.1"),
        (Does(cut_after=2), "connection was lost", True, "reaches 127.0.0.1"),
        (Does(end_after=2), "ended its answer in the middle", True, ""),
        (Does(error_after=2), "failed", True, ""),
        (Does(garbage=b"data: {nonsense\n\n"), "cannot be understood", False, "taken for"),
        (Does(garbage=b"<html>welcome</html>", content_type="text/html"), "cannot be understood", False, "taken for"),
    ],
)
def test_failure_is_told_with_its_kind_and_what_to_do(
    generator: Generator, service: Named, emulator: Emulator, does: Does, words: str, retryable: bool, hint: str
) -> None:
    emulator.script(service.route, does)
    with pytest.raises(BackendError) as caught:
        ask(generator)
    error = caught.value
    assert words in error.message
    assert (error.backend, error.retryable) == (service.name, retryable)
    assert hint in error.hint
    shown = "".join(traceback.format_exception(error)) + error.hint
    assert [secret for secret in (KEY, "sk-emul", "private", "launch") if secret in shown] == []
    assert lines(ask(generator)) == list(THESES)  # the next question is answered as if nothing had been


def test_wish_of_the_service_when_to_be_asked_again_is_kept(
    generator: Generator, service: Named, emulator: Emulator
) -> None:
    emulator.script(service.route, Does(status=429, headers={"Retry-After": "7"}), Does(status=429))
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
    service: Named, emulator: Emulator, does: Does, words: str
) -> None:
    emulator.script(service.route, does)
    # only the limit that is tried is short: a busy machine may be slow to give the first words
    limits = {"first_token_s": 60.0, "stall_s": 0.5} if does.stall_after else {"first_token_s": 0.5, "stall_s": 60.0}
    with closing(open_generator(service.name, base_url=service.url(emulator), **limits)) as generator:
        generator.warm()
        with pytest.raises(BackendTimeoutError, match=words) as caught:
            ask(generator)
        assert caught.value.retryable
        assert emulator.wait_for(service.route).gone.wait(10.0)


def test_slow_drip_is_no_stall_though_it_takes_longer_than_one(service: Named, emulator: Emulator) -> None:
    emulator.knows["when do we launch"] = ("one two three four",)
    emulator.script(service.route, Does(every_s=0.5))
    limits = {"first_token_s": 60.0, "stall_s": 2.0}
    with closing(open_generator(service.name, base_url=service.url(emulator), **limits)) as generator:
        assert lines(ask(generator)) == ["one two three four"]


@pytest.mark.parametrize("does", [Does(delay_s=60.0), Does(comments_s=60.0), Does(stall_after=2)])
def test_cancellation_ends_a_wait_and_closes_the_connection(service: Named, emulator: Emulator, does: Does) -> None:
    emulator.script(service.route, does)
    cancel, given = CancelToken(), []
    with closing(open_generator(service.name, base_url=service.url(emulator), **PATIENCE["llm"])) as generator:
        thread = threading.Thread(target=lambda: given.extend(ask(generator, cancel)))
        thread.start()
        request = emulator.wait_for(service.route)
        cancel.cancel()
        thread.join(10.0)
        assert not thread.is_alive()
        assert request.gone.wait(10.0)


def test_close_ends_a_wait_with_an_error(service: Named, emulator: Emulator) -> None:
    emulator.script(service.route, Does(stall_after=1))
    generator = open_generator(service.name, base_url=service.url(emulator), **PATIENCE["llm"])
    stream = iter(generator.generate(Question(ASKED, "en", 3), CancelToken()))
    next(stream)
    generator.close()
    with pytest.raises(BackendError, match="has been closed"):
        list(stream)
    with pytest.raises(BackendError, match="has been closed"):
        ask(generator)


def test_no_connection_is_an_error_that_a_retry_may_mend(service: Named) -> None:
    with closing(open_generator(service.name, base_url="http://127.0.0.1:9/v1")) as generator:
        with pytest.raises(BackendError, match="cannot be reached") as caught:
            ask(generator)
        assert caught.value.retryable
        generator.warm()  # the first call will tell


def test_warming_tells_of_a_refused_key_and_an_unknown_model(
    generator: Generator, service: Named, emulator: Emulator
) -> None:
    emulator.script("model", Does(status=401), Does(status=404, code="model_not_found"))
    with pytest.raises(BackendError, match="refused the key"):
        generator.warm()
    with pytest.raises(BackendError, match="knows no model"):
        generator.warm()


def test_server_that_does_not_tell_of_its_models_is_warmed_all_the_same(emulator: Emulator) -> None:
    emulator.script("model", Does(status=404))
    with closing(open_generator("openai", base_url=emulator.openai_url, **PATIENCE["llm"])) as generator:
        generator.warm()


def test_key_is_needed_for_the_provider_alone(service: Named, emulator: Emulator) -> None:
    with closing(open_generator(service.name)) as generator, pytest.raises(BackendError, match="there is no key"):
        generator.warm()
    with closing(open_generator(service.name, base_url=service.url(emulator))) as generator:
        ask(generator)
    assert emulator.wait_for(service.route).headers[service.header].endswith("none")


@pytest.mark.parametrize("url", ["localhost:11434/v1", "ftp://localhost", "http://", "http://host:port/v1"])
def test_address_that_is_none_is_refused(service: Named, url: str) -> None:
    with pytest.raises(ConfigError, match=f"{service.name}.base_url = .* is no address of a server"):
        open_generator(service.name, base_url=url)


def test_password_in_an_address_is_refused_and_not_shown(service: Named) -> None:
    with pytest.raises(ConfigError) as caught:
        open_generator(service.name, base_url="https://me:secret@host/v1")
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_check_says_where_the_key_comes_from_and_when_it_is_not_sent(
    service: Named, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def checked(base_url: str = "", key_file: Path | None = None) -> str:
        return check_backend("llm", service.name, model="m", base_url=base_url, key_file=key_file)

    with pytest.raises(BackendError, match="there is no key"):
        checked()
    monkeypatch.setenv(service.variable, KEY)
    assert checked() == f"m at {service.host}, key from the variable {service.variable}"
    assert checked("http://10.0.0.1:8000/v1").endswith("which is not sent over http")
    monkeypatch.delenv(service.variable)
    assert checked("http://localhost:11434/v1") == "m at localhost:11434, no key"
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    assert checked(key_file=tmp_path / "key").startswith(f"m at {service.host}, key from the file ")


def test_key_never_travels_unencrypted(service: Named) -> None:
    provider = {"openai": server.OPENAI, "gemini": server.GEMINI}[service.name]
    urls = ("https://10.0.0.1/v1", "http://127.0.0.1/v1", "http://10.0.0.1/v1", f"http://{service.host}")
    takers = [url for url in urls if server.server_of(provider, url, "m", "", None).takes_key]
    assert takers == ["https://10.0.0.1/v1", "http://127.0.0.1/v1"]
