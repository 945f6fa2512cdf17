"""ECAPA-TDNN by SpeechBrain, on the processor or on CUDA: 90 MB, trained on thousands of voices.

B. Desplanques, J. Thienpondt and K. Demuynck, "ECAPA-TDNN: emphasized channel attention, propagation and aggregation in
TDNN based speaker verification" (2020).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sottovoce.core.errors import BackendError, BackendUnavailableError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding._network import NetworkEmbedder
from sottovoce.speech.local.hub import HubModel
from sottovoce.speech.local.model import LocalModel, located

EXTRA = "ecapa"
PACKAGES = ("speechbrain", "torch")
SENDS = ""

REPOSITORY = "speechbrain/spkrec-ecapa-voxceleb"
_SETTINGS_FILE, _NUMBERS_FILE = "hyperparams.yaml", "embedding_model.ckpt"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
#: Cosine at which SpeechBrain takes two recordings for the same voice; an enrolled voice is the mean of several, and
#: lies nearer to each.
_THRESHOLD = 0.33


def open(model: str = REPOSITORY, device: str = "auto") -> EcapaEmbedder:
    """Open the network.

    Parameters
    ----------
    model : str
        Name on the Hugging Face hub, whose files `sottovoce models get` fetches, or a folder that holds them.
    device : {"auto", "cpu", "cuda"}
        Where it runs.
    """
    return EcapaEmbedder(model, device)


def catalogue(folder: Path) -> Sequence[LocalModel]:
    """The model that is used unless a setting says otherwise; the hub's cache holds it, whatever ``folder`` is."""
    return (_hub_model(REPOSITORY),)


def needs(model: str = REPOSITORY, device: str = "auto") -> Sequence[LocalModel]:
    """What :func:`open` loads with these settings."""
    chosen = _chosen(model)
    return (chosen,) if isinstance(chosen, HubModel) else ()


class EcapaEmbedder(NetworkEmbedder):
    """Parameters as for :func:`open`."""

    name = "ecapa"

    def __init__(self, model: str, device: str) -> None:
        super().__init__(_THRESHOLD, device)
        self._wanted = _chosen(model)

    def _run(self, network: Any, speech: Mono) -> npt.ArrayLike:
        import torch

        try:
            with torch.inference_mode():
                vector = network.encode_batch(torch.from_numpy(speech.copy())[None])  # it may be read-only
        except RuntimeError as error:
            raise BackendError(
                f"the network failed: {type(error).__name__}", backend=self.name, hint="set speaker.device to cpu"
            ) from error
        found: npt.ArrayLike = vector.cpu().numpy()
        return found

    def _load(self) -> tuple[Any, Path]:
        folder = self._wanted if isinstance(self._wanted, Path) else located(self._wanted)
        for name in (_SETTINGS_FILE, _NUMBERS_FILE):
            if not (folder / name).is_file():
                raise BackendError(
                    f"{folder} holds no {name}",
                    backend=self.name,
                    hint="set speaker.ecapa_model to a name on the hub, or to a folder with the files of such a model",
                )
        return self._classifier(folder), folder / _NUMBERS_FILE

    def _classifier(self, folder: Path) -> Any:
        import torch

        if self._device == "cuda" and not torch.cuda.is_available():
            raise self._no_cuda("torch", "")
        device = "cuda" if self._device != "cpu" and torch.cuda.is_available() else "cpu"
        try:
            from speechbrain.inference.speaker import EncoderClassifier
            from speechbrain.utils.fetching import LocalStrategy
        except (ImportError, OSError) as error:  # torchaudio made for another torch, too
            raise BackendUnavailableError(
                f"speechbrain does not load: {error}", backend=self.name, install_hint='pip install "sottovoce[ecapa]"'
            ) from error
        try:
            return EncoderClassifier.from_hparams(
                source=str(folder),
                savedir=str(folder),
                overrides={"pretrained_path": str(folder)},
                run_opts={"device": device},
                local_strategy=LocalStrategy.NO_LINK,
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise BackendError(
                f"the model in {folder} cannot be loaded: {type(error).__name__}",
                backend=self.name,
                hint="download it again, or update speechbrain",
            ) from error


def _hub_model(repository: str) -> HubModel:
    known = repository == REPOSITORY
    return HubModel(
        f"ecapa/{'voxceleb' if known else repository}",
        "telling voices apart",
        "Apache-2.0" if known else "",
        repository,
        (_SETTINGS_FILE, _NUMBERS_FILE),
        ("*.ckpt", "label_encoder.txt"),
        89_000_000 if known else None,
    )


def _chosen(model: str) -> HubModel | Path:
    """A folder that is there, or a model of the hub."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if not _REPOSITORY.fullmatch(model):
        raise ConfigError(
            f"{model!r} is neither a folder nor the name of a model on the hub",
            key="speaker.ecapa_model",
            hint=f"check the spelling; {REPOSITORY} is usual",
        )
    return _hub_model(model)
