"""Attacks on a service with default limits, each beside a canary; `python -m tests.attacks` carries out all of them."""
