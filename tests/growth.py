"""How the cost of some work grows with its size."""

import gc
import time
from collections.abc import Callable

# Four times the work takes four times as long if it grows linearly, and sixteen times if it grows quadratically.
_TIMES = 4
_RATIO_MAX = 8
_ATTEMPTS = 5


def grows_linearly(prepare: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether the work that `prepare` makes for a size takes at most about twice as long for twice that size.

    It is measured in processor time of this thread, again where that looks like more: other processes and the
    allocator disturb it. Garbage is not collected meanwhile: that takes as long as all objects of the process are many.
    """
    return any(_cost(prepare(_TIMES * size)) < _RATIO_MAX * _cost(prepare(size)) for _ in range(_ATTEMPTS))


def _cost(work: Callable[[], object]) -> float:
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        gc.enable()
