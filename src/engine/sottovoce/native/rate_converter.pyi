QUALITIES: tuple[str, ...]
