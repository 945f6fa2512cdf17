"""What happened in a session, kept in SQLite."""
