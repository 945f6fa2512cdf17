"""Recognition: contract in :mod:`.base`, one file a backend."""
