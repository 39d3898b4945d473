"""The floors: the least that has to be done, with the same libraries and on the same data."""
