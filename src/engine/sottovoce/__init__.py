"""sottovoce: a realtime audio engine, and a voice assistant on top of it."""

from __future__ import annotations

__version__ = "0.1.0"
