"""Benchmarks: this service beside the floors of the machine and a plain baseline, or beside another commit."""
