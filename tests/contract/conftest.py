"""The emulator of the services that the contract suites need, and the models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contract.opening import Models
from tests.emulator import Emulator

#: What recognisers are asked to hear in the contract suite.
PHRASE = "How much does it cost?"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    with closing(Models(tmp_path_factory.mktemp("models"), PHRASE)) as made:
        yield made
