"""ECAPA-TDNN by SpeechBrain, on the processor or on CUDA: 80 MB, trained on thousands of voices.

B. Desplanques, J. Thienpondt and K. Demuynck, "ECAPA-TDNN: emphasized channel attention, propagation and aggregation in
TDNN based speaker verification" (2020).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.core.errors import BackendError, BackendUnavailableError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding._network import cosine_weights, fingerprint, trim
from sottovoce.speech.embedding.base import Embedding, Scoring, unit

EXTRA = "ecapa"
PACKAGES = ("speechbrain", "torch")
SENDS = ""

_HUB_MODEL = "speechbrain/spkrec-ecapa-voxceleb"
_FILES = ("hyperparams.yaml", "*.ckpt")
_SETTINGS_FILE = "hyperparams.yaml"
#: Cosine at which SpeechBrain takes two recordings for the same voice; an enrolled voice is the mean of several, and
#: lies nearer to each.
_THRESHOLD = 0.33


def open(model: str = _HUB_MODEL, device: str = "auto", offline: bool = False) -> EcapaEmbedder:
    """Open the network.

    Parameters
    ----------
    model : str
        Name on the Hugging Face hub, or a folder that holds its files.
    device : {"auto", "cpu", "cuda"}
        Where it runs.
    offline : bool
        Look for it in the cache of the hub alone, never on the network.
    """
    return EcapaEmbedder(model, device, offline)


class EcapaEmbedder:
    """Loads at the first call, or :meth:`warm`; parameters as for :func:`open`."""

    name = "ecapa"
    samplerate = 16_000

    def __init__(self, model: str, device: str, offline: bool) -> None:
        self._wanted = model
        self._device = device
        self._offline = offline
        self._network: Any = None
        self._model = ""
        self._closed = False
        self._scoring = Scoring(cosine_weights(_THRESHOLD))

    @property
    def model(self) -> str:
        """Known once it is loaded."""
        self._loaded()
        return self._model

    @property
    def scoring(self) -> Scoring:
        return self._scoring

    def warm(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._closed = True
        self._network = None

    def embed(self, audio: Mono) -> Embedding | None:
        import torch

        network = self._loaded()
        speech, speech_s = trim(audio)
        if not len(speech):
            return None
        try:
            with torch.inference_mode():
                vector = network.encode_batch(torch.from_numpy(np.ascontiguousarray(speech))[None])
        except RuntimeError as error:
            raise BackendError(
                f"the network failed: {type(error).__name__}", backend=self.name, hint="set speaker.device to cpu"
            ) from error
        return Embedding(unit(np.asarray(vector.cpu().numpy(), np.float32).reshape(-1)), speech_s)

    def _loaded(self) -> Any:
        if self._closed:
            raise BackendError("the embedder 'ecapa' is closed", backend=self.name)
        if self._network is None:
            folder = self._folder()
            self._network = self._load(folder)
            weights = next(iter(sorted(folder.glob("embedding_model.ckpt"))), folder / _SETTINGS_FILE)
            self._model = f"ecapa-{fingerprint(weights)}"
        return self._network

    def _folder(self) -> Path:
        """Where the files of the model are; downloaded, if they are not here and may be."""
        folder = Path(self._wanted).expanduser()
        if folder.is_dir():
            return folder
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            found = huggingface_hub.snapshot_download(
                self._wanted, allow_patterns=list(_FILES), local_files_only=self._offline
            )
        except LocalEntryNotFoundError as error:
            raise BackendError(
                f"the model {self._wanted!r} is not in the cache of the hub, and the network is "
                f"{'not to be used' if self._offline else 'out of reach'}",
                backend=self.name,
                hint="run `sottovoce doctor` once with a network and models.offline off, or set speaker.ecapa_model "
                "to a folder that holds its files",
            ) from error
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise BackendError(
                f"the model {self._wanted!r} cannot be loaded from the hub: {type(error).__name__}",
                backend=self.name,
                retryable=True,
                hint="check speaker.ecapa_model and the network",
            ) from error
        return Path(found)

    def _load(self, folder: Path) -> Any:
        if not (folder / _SETTINGS_FILE).is_file():
            raise BackendError(
                f"{folder} holds no {_SETTINGS_FILE}",
                backend=self.name,
                hint="set speaker.ecapa_model to a name on the hub, or to a folder with the files of such a model",
            )
        import torch

        if self._device == "cuda" and not torch.cuda.is_available():
            raise BackendError("torch knows no CUDA here", backend=self.name, hint="set speaker.device to cpu")
        device = "cuda" if self._device != "cpu" and torch.cuda.is_available() else "cpu"
        try:
            from speechbrain.inference.speaker import EncoderClassifier
            from speechbrain.utils.fetching import LocalStrategy
        except ImportError as error:
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
