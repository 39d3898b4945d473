"""A child process that never outlives the process that started it."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Blocks until the pipe on its standard input closes, which the kernel does however the owner ends.
WATCHDOG = 'read line; kill -KILL "$0"'


class GuardedProcess:
    """A running child with its own session, whose output goes to the end of a file.

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
        """The child's exit status (minus the signal where one ended it); None while it runs or is paused."""
        if self._child.poll() is not None:
            self._dismiss_watchdog()
        return self._child.returncode

    def terminate(self, wait_seconds: float) -> int:
        """Ends the child with SIGTERM, or SIGKILL when it is still there after `wait_seconds`; its exit status."""
        self.resume()
        self._child.terminate()
        try:
            self._child.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
        return self._reap()

    def kill(self) -> int:
        """Ends the child with SIGKILL, as a power cut would; its exit status."""
        self._child.kill()
        return self._reap()

    def pause(self) -> None:
        """Stops every thread of the child with SIGSTOP; returns once it stands still.

        Raises ChildProcessError when the child has ended.
        """
        self._child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Lets a paused child go on (SIGCONT); harmless where it runs or has ended."""
        self._child.send_signal(signal.SIGCONT)

    def _reap(self) -> int:
        status = self._child.wait()
        self._dismiss_watchdog()
        return status

    def _dismiss_watchdog(self) -> None:
        # Killed rather than fed an end of file: the child's id may belong to somebody else by now.
        if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
            self._watchdog.kill()
            self._watchdog.wait()
            self._watchdog.stdin.close()
