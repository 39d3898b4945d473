"""The floors: the least work that the same libraries can do on the same data."""
