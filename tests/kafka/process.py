"""A child process that never outlives the process that started it."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Blocks until its standard input closes. The kernel closes it however the owner ends.
WATCHDOG = 'read line; kill -KILL "$0"'


class GuardedProcess:
    """A running child process in its own session, whose output is appended to a file.

    A small watchdog kills it when this process ends in any way, SIGKILL included. (Linux's parent-death signal
    would fire when the *thread* that started the child ends, so it does not fit a child started in a thread pool.)
    """

    def __init__(self, command: Sequence[str], output: Path) -> None:
        with output.open("ab") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._watchdog = subprocess.Popen(
                ["/bin/sh", "-c", WATCHDOG, str(self._child.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._child.kill()
            self._child.wait()
            raise

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def exit_status(self) -> int | None:
        """Return the exit status (minus the signal that ended it); None while the child runs or is paused."""
        if self._child.poll() is not None:
            self._dismiss_watchdog()
        return self._child.returncode

    def terminate(self, wait_seconds: float) -> int:
        """End the child with SIGTERM, or with SIGKILL after `wait_seconds`; return its exit status."""
        self.resume()
        self._child.terminate()
        try:
            self._child.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
        return self._reap()

    def kill(self) -> int:
        """End the child with SIGKILL, as a power cut would; return its exit status."""
        self._child.kill()
        return self._reap()

    def pause(self) -> None:
        """Stop every thread of the child with SIGSTOP; return once all have stopped.

        Raises ChildProcessError if the child has ended.
        """
        self._child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused child continue (SIGCONT). Do nothing if it runs or has ended."""
        self._child.send_signal(signal.SIGCONT)

    def _reap(self) -> int:
        status = self._child.wait()
        self._dismiss_watchdog()
        return status

    def _dismiss_watchdog(self) -> None:
        # At the end of its input the watchdog would kill the child's id, which may belong to another process by now.
        if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
            self._watchdog.kill()
            self._watchdog.wait()
            self._watchdog.stdin.close()
