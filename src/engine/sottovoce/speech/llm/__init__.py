"""Generation of theses: contract in :mod:`.base`, one file a backend."""
