"""What every embedder keeps to: the embedded one, and networks of a few numbers that the test makes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sottovoce.core.errors import BackendError, BackendUnavailableError, ConfigError
from sottovoce.speech.embedding import ecapa
from sottovoce.speech.embedding.base import Embedder
from sottovoce.speech.embedding.builtin import BuiltinEmbedder
from sottovoce.speech.local.catalogue import catalogue, needed
from sottovoce.speech.registry import backend_names, describe, open_embedder
from sottovoce.speech.wearer.enrolment import examine, make_profile
from sottovoce.speech.wearer.verifier import WearerVerifier
from tests.support.voices import SAMPLERATE, STRANGER, WEARER, say

TINY_ECAPA = """
pretrained_path: nowhere
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: 80
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: 80
    channels: [16, 16, 16, 16, 48]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 8
    lin_neurons: 24
classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 24
    out_neurons: 4
mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
    std_norm: False
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    mean_var_norm_emb: !ref <mean_var_norm_emb>
    classifier: !ref <classifier>
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
"""


def tiny_onnx(folder: Path, rank: int = 3) -> Path:
    """The mean over time, times a random matrix."""
    onnx = pytest.importorskip("onnx", reason="pip install onnx: it makes the tiny model")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.random.default_rng(1).standard_normal((80, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Abs", ["feats"], ["loud"]),
        helper.make_node("ReduceMean", ["loud"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["embs"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("feats", kind, ["B", "T", 80][3 - rank :])],
        [helper.make_tensor_value_info("embs", kind, ["B", 16][3 - rank :])],
        [helper.make_tensor("weights", kind, weights.shape, weights.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = folder / "tiny.onnx"
    onnx.save(model, path)
    return path


def tiny_ecapa(folder: Path) -> Path:
    """ECAPA-TDNN with 16 channels and random weights."""
    import torch
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    torch.manual_seed(1)
    network = ECAPA_TDNN(
        80, channels=[16, 16, 16, 16, 48], kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1],
        attention_channels=8, lin_neurons=24,
    )  # fmt: skip
    torch.save(network.state_dict(), folder / "embedding_model.ckpt")
    (folder / "hyperparams.yaml").write_text(TINY_ECAPA, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=backend_names("embedding"))
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    info = describe("embedding", request.param)
    if info.missing:
        pytest.skip(f"{', '.join(info.missing)} not installed: {info.install_hint}")
    folder = tmp_path_factory.mktemp(request.param)
    settings: dict[str, object] = {}
    if request.param == "onnx":
        settings = {"model": tiny_onnx(folder), "device": "cpu"}
    elif request.param == "ecapa":
        settings = {"model": str(tiny_ecapa(folder)), "device": "cpu"}
    embedder = open_embedder(request.param, **settings)
    embedder.warm()
    yield embedder
    embedder.close()
    embedder.close()


def test_vector_has_the_length_1_and_is_the_same_each_time(opened: Embedder) -> None:
    first, second = (opened.embed(say(WEARER, 0, 1)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.vector.dtype == np.float32
    assert first.vector.ndim == 1
    assert np.linalg.norm(first.vector) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(first.vector, second.vector, atol=1e-5)
    assert 1.0 < first.speech_s < len(say(WEARER, 0, 1)) / SAMPLERATE
    assert opened.samplerate == SAMPLERATE


def test_model_has_a_name_of_its_own(opened: Embedder) -> None:
    assert opened.model == opened.model
    assert opened.model.startswith(f"{opened.name}-")


@pytest.mark.parametrize("frames", [0, 1, 399, 400, 3200])
def test_too_little_gives_no_vector(opened: Embedder, frames: int) -> None:
    assert opened.embed(np.zeros(frames, np.float32)) is None
    assert opened.embed(say(WEARER)[3200 : 3200 + frames]) is None


def test_level_hardly_matters(opened: Embedder) -> None:
    loud, quiet = opened.embed(say(WEARER, 0, 1)), opened.embed(say(WEARER, 0, 1) * np.float32(0.1))
    assert loud is not None
    assert quiet is not None
    assert float(loud.vector @ quiet.vector) > 0.97


def test_score_grows_with_likeness(opened: Embedder) -> None:
    heard = opened.embed(say(WEARER, 0, 2))
    assert heard is not None
    away = np.roll(heard.vector, 1)
    scoring = opened.scoring
    scores = [scoring.score(heard.vector, vector) for vector in (heard.vector, away)]
    odds = [scoring.log_odds(score, 3.0) for score in scores]
    assert scores[0] > scores[1]
    assert odds[0] > 0.0
    assert odds[0] > odds[1]


def test_a_profile_is_made_with_it_and_a_session_listens_with_it(opened: Embedder) -> None:
    embedders = list({each.model: each for each in (BuiltinEmbedder(), opened)}.values())
    profile = make_profile("default", examine(say(WEARER)), embedders, datetime.now(UTC))
    assert {*profile.voices} == {BuiltinEmbedder().model, opened.model}
    verifier = WearerVerifier(profile, opened)
    verdict = verifier.verify(say(WEARER, 0, 1), SAMPLERATE)
    assert verdict.kind == "own"
    assert verdict.score is not None
    assert verifier.verify(np.concatenate([say(STRANGER, 3, 4), say(WEARER, 5, 6)]), SAMPLERATE).score is not None
    assert verifier.verify(say(WEARER)[3200:6400], SAMPLERATE).kind == "unsure"


def test_closed_network_says_so(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason='pip install "sottovoce[onnx]"')
    embedder = open_embedder("onnx", model=tiny_onnx(tmp_path))
    embedder.close()
    with pytest.raises(BackendError, match="the embedder 'onnx' is closed"):
        embedder.embed(say(WEARER, 0, 1))


def test_onnx_without_a_model_or_with_a_wrong_one_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason='pip install "sottovoce[onnx]"')
    with pytest.raises(ConfigError, match="no model is named") as caught:
        open_embedder("onnx")
    assert caught.value.key == "speaker.onnx_model"
    with pytest.raises(ConfigError, match="there is no file"):
        open_embedder("onnx", model=tmp_path / "x.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(BackendError, match="no model that onnxruntime can load"):
        open_embedder("onnx", model=broken).warm()
    with pytest.raises(BackendError, match="is wanted"):
        open_embedder("onnx", model=tiny_onnx(tmp_path, rank=2)).warm()


def test_ecapa_is_a_model_like_any_other_and_never_fetched_by_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert [each.name for each in catalogue(tmp_path) if each.name.startswith("ecapa/")] == ["ecapa/voxceleb"]
    assert [each.name for each in needed("embedding", "ecapa")] == ["ecapa/voxceleb"]
    assert [each.name for each in needed("embedding", "ecapa", model="me/mine")] == ["ecapa/me/mine"]
    assert list(needed("embedding", "ecapa", model=str(tmp_path))) == []
    with pytest.raises(ConfigError, match="neither a folder nor") as caught:
        needed("embedding", "ecapa", model="no such thing")
    assert caught.value.key == "speaker.ecapa_model"


def test_ecapa_that_is_not_here_says_what_fetches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BackendError, match="ecapa/voxceleb is not on this machine") as caught:
        ecapa.open().warm()
    assert caught.value.hint == "sottovoce models get ecapa/voxceleb"
    with pytest.raises(BackendError, match="holds no hyperparams"):
        ecapa.open(model=str(tmp_path)).warm()


def test_speechbrain_that_does_not_load_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason='pip install "sottovoce[ecapa]"')
    monkeypatch.setitem(sys.modules, "speechbrain.inference.speaker", None)
    for name in ("hyperparams.yaml", "embedding_model.ckpt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BackendUnavailableError, match="speechbrain does not load") as caught:
        ecapa.open(str(tmp_path), "cpu").warm()
    assert caught.value.install_hint == 'pip install "sottovoce[ecapa]"'
