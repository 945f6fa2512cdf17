"""Voices as vectors: what a segment sounds like, whoever says whatever in it. One file a backend, found by name."""
