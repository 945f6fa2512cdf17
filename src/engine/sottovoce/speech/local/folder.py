"""Where models lie that no hub keeps in a cache of its own."""

from __future__ import annotations

import os
from pathlib import Path


def default_folder() -> Path:
    """Where they lie unless a setting says otherwise."""
    import platformdirs

    return platformdirs.user_data_path("sottovoce", appauthor=False) / "models"


def hub_cache() -> Path:
    """The cache of the Hugging Face hub, where its own library has it: shared with everything else that uses it."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(named)).expanduser()
