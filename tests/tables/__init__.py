"""Several tables in one service."""
