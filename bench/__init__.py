"""Benchmarks: this service beside the bare limits of the machine and beside a plain newcomer's version, in one run."""
