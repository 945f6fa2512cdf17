"""Figures of how well it hears, with what is known of their error; used by ``sottovoce eval`` and by ``bench``."""
