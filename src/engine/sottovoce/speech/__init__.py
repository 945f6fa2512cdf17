"""Hearing, answering and speaking: each kind of part has a contract in its ``base.py`` and one file a backend."""
