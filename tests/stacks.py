"""Calls from high stacks, on which little more has room.

Before Python 3.12, Python's frames share a limit with the levels that libraries in C go down.
"""

import sys
from collections.abc import Callable
from inspect import stack
from typing import TypeVar

T = TypeVar("T")

_ROOM = 50


def heights(step: int) -> range:
    """So many frames can be put on the stack as it is here, from none to nearly all."""
    return range(0, sys.getrecursionlimit() - len(stack(0)) - _ROOM, step)


def above(frames: int, call: Callable[[], T]) -> T:
    """What a call returns above so many frames."""
    return above(frames - 1, call) if frames else call()
