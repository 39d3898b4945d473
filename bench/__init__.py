"""Benchmarks: this service beside the floors of the machine and beside a plain baseline's version, in one run."""
