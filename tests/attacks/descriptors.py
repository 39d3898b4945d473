"""Runs Python with a limit of open files: `python -m tests.attacks.descriptors 256 -m module …`."""

import os
import resource
import sys

if __name__ == "__main__":
    limit, *command = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(limit), int(limit)))
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - the caller's own command
