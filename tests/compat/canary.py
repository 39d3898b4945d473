"""How a canary of aiokafka fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiokafka import __version__
from aiokafka.errors import KafkaError


@contextmanager
def canary(sentence: str) -> Iterator[None]:
    """Turn whatever an incompatible version raises into one sentence."""
    try:
        yield
    except (AssertionError, AttributeError, KafkaError, LookupError, TimeoutError, TypeError, ValueError) as error:
        pytest.fail(f"aiokafka {__version__}: {sentence} ({error!r})", pytrace=False)
