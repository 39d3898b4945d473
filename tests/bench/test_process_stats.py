"""The processor time of a process."""

import os
import time

import pytest

from bench.process_stats import cpu_seconds


def test_processor_time_of_a_process_is_its_own_clock() -> None:
    before = time.process_time()
    read = cpu_seconds(os.getpid())
    assert before <= read <= time.process_time()


def test_processor_time_of_a_process_that_is_gone_is_an_error() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    with pytest.raises(ProcessLookupError):
        cpu_seconds(child)
