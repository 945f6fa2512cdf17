"""Proxies and certificates of the environment, with every client of a service."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.llm.base import Question
from sottovoce.speech.registry import open_generator, open_recognizer, open_synthesizer
from tests.contract.opening import PATIENCE
from tests.emulator import Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')
pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')
pytest.importorskip("google.cloud.texttospeech", reason='install the extra: pip install -e ".[google]"')

HOST = "service.test"

Ask = Callable[[str], object]


def ask_openai(url: str) -> object:
    with closing(open_generator("openai", base_url=f"{url}/v1", **PATIENCE["llm"])) as generator:
        return list(generator.generate(Question("when", "en", 2), CancelToken()))


def ask_gemini(url: str) -> object:
    with closing(open_generator("gemini", base_url=url, **PATIENCE["llm"])) as generator:
        return list(generator.generate(Question("when", "en", 2), CancelToken()))


def ask_socket(url: str) -> object:
    settings = {"base_url": f"{url}/v1", "model": "gpt-live-transcribe", **PATIENCE["asr"]}
    with closing(open_recognizer("openai", **settings)) as recognizer:
        return recognizer.transcribe(np.full(16_000, 0.1, np.float32), CancelToken()).text


def ask_google(url: str) -> object:
    with closing(open_synthesizer("google", base_url=url, **PATIENCE["tts"])) as synthesizer:
        return list(synthesizer.synthesize("In June", "en", CancelToken()))


@pytest.fixture(params=[ask_openai, ask_gemini, ask_socket, ask_google], ids=lambda ask: ask.__name__[4:])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in (*names, "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with Emulator(otherwise=("In June",)) as started:
        yield started


@pytest.fixture
def sealed(emulator: Emulator, ask: Ask, tmp_path: Path) -> Iterator[Any]:
    """What speaks TLS in front of the emulator, with a certificate of an authority of its own."""
    from tests.emulator.relay import Relay
    from tests.support.certificates import own_certificate

    _, tls = own_certificate(tmp_path, HOST)
    url = emulator.google_url if ask is ask_google else emulator.url
    with Relay(urlsplit(url).port or 0, tls=tls) as relay:
        yield relay


def test_certificate_of_an_own_authority_is_trusted_when_named(
    ask: Ask, sealed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert ask(f"https://127.0.0.1:{sealed.port}")


def test_certificate_that_nobody_knows_is_refused_and_the_hint_says_what_to_name(ask: Ask, sealed: Any) -> None:
    with pytest.raises(BackendError, match="certificate that this machine does not trust") as caught:
        ask(f"https://127.0.0.1:{sealed.port}")
    assert "SSL_CERT_FILE" in caught.value.hint
    assert not caught.value.retryable


def test_proxy_of_the_environment_is_used(
    ask: Ask, sealed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.emulator.relay import Relay

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with Relay(sealed.port, proxy=True) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert ask(f"https://{HOST}")
        assert set(proxy.asked) == {f"{HOST}:443"}


def test_proxy_that_is_not_there_is_an_error_with_a_hint(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(BackendError, match="cannot be reached") as caught:
        ask(f"https://{HOST}")
    assert "proxies" in caught.value.hint


def test_service_account_signs_for_itself_and_fetches_no_token(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from tests.emulator.relay import Relay
    from tests.support.certificates import own_certificate

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {
        "type": "service_account",
        "client_email": "ear@project.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": pem,
        "token_uri": "http://127.0.0.1:9/token",  # nobody is there
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account), encoding="utf-8")
    file.chmod(0o600)
    trusted, tls = own_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with Relay(urlsplit(emulator.google_url).port or 0, tls=tls) as relay:
        settings = {"base_url": f"https://127.0.0.1:{relay.port}", "key_file": file, **PATIENCE["tts"]}
        with closing(open_synthesizer("google", **settings)) as synthesizer:
            assert list(synthesizer.synthesize("In June", "en", CancelToken()))
    assert emulator.wait_for("google").headers["authorization"].startswith("Bearer ey")
