"""The command that writes a file: many lines a request, several requests at once, each key in its lines' order."""

import asyncio
import os
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from kvs_graphql.cli.lines import BadLine, CommaSeparated, Form, Line, Lines, Ndjson
from kvs_graphql.client import Client, Variables, connect
from kvs_graphql.errors import RemoteError, Unreachable

_LANES = 4
# By default a service allows a document 2,000 tokens, 26 of which a write takes, and 100 aliases.
_WRITES_PER_REQUEST = 75
_REQUEST_CHARACTERS_MAX = 256 * 1024
_LINES_HELD_MAX = 2 * _WRITES_PER_REQUEST
_CHUNK_BYTES = 64 * 1024
_PROGRESS_SECONDS = 0.2
# Errors that every other write would meet as well.
_HOPELESS = frozenset({"WRITES_DISABLED", "UNAUTHENTICATED"})


@dataclass(slots=True)
class Tally:
    """What became of the lines so far, and how many bytes were read."""

    written: int = 0
    refused: int = 0
    unanswered: list[int] = field(default_factory=list)
    """Of lines that were sent, the numbers."""
    bytes_read: int = 0

    def __str__(self) -> str:
        return f"{self.written:,} written, {self.refused:,} refused"

    def refuse(self, number: int, reason: str) -> None:
        """Count a line, and say so."""
        self.refused += 1
        click.echo(f"line {number}: {reason}", err=True)


async def load(url: str, path: str, form: str | None) -> int:
    """Write the lines of a file (`-`: standard input); 1 if one of them was refused.

    Refused lines go to standard error with number and reason, the count to standard output.

    Raises:
        Unreachable: The service went away. Which lines were sent and not answered was said before.
        RemoteError: The service takes no writes at all.
    """
    tally = Tally()
    is_csv = form == "csv" or (form is None and path.endswith(".csv"))
    try:
        with _opened(path) as file:
            async with connect(url) as client:
                # Nothing is sent where nobody is.
                await client.execute("{ __typename }")
                await _load(client, file, CommaSeparated() if is_csv else Ndjson(), tally)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        if tally.unanswered:
            click.echo(f"sent and not answered, so maybe written: lines {_ranges(sorted(tally.unanswered))}", err=True)
        click.echo(str(tally))
    return int(tally.refused > 0)


async def _load(client: Client, file: int, form: Form, tally: Tally) -> None:
    lanes = [_Lane(client, tally) for _ in range(_LANES)]
    async with asyncio.TaskGroup() as tasks:
        bar = tasks.create_task(_show(tally, _size(file))) if sys.stderr.isatty() else None
        sending = [tasks.create_task(lane.run()) for lane in lanes]
        async for line in _read(file, form, tally):
            # A key always takes the same lane, where requests follow each other.
            await lanes[crc32(line.key.encode()) % _LANES].add(line)
        for lane in lanes:
            lane.end()
        await asyncio.gather(*sending)
        if bar is not None:
            bar.cancel()


async def _read(file: int, form: Form, tally: Tally) -> AsyncIterator[Line]:
    """What the lines of the file say; those that say nothing are refused."""
    lines, number = Lines(), 0
    async for chunk in _chunks(file):
        for raw in lines.feed(chunk) if chunk else lines.end():
            number += 1
            said = form.line(number, raw)
            if isinstance(said, BadLine):
                tally.refuse(said.number, said.reason)
            elif said is not None:
                yield said
        tally.bytes_read += len(chunk)
    if left := form.end():
        tally.refuse(left.number, left.reason)


class _Lane:
    """Lines that are sent one request after the other; each request takes what has come meanwhile."""

    def __init__(self, client: Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally
        self._lines: deque[Line] = deque()
        self._size = 0
        self._ended = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._writes_max = _WRITES_PER_REQUEST

    async def add(self, line: Line) -> None:
        """Wait for room, and take a line."""
        while len(self._lines) >= _LINES_HELD_MAX or self._size >= _REQUEST_CHARACTERS_MAX:
            self._room.clear()
            await self._room.wait()
        self._lines.append(line)
        self._size += line.size
        self._filled.set()

    def end(self) -> None:
        """No line comes after this."""
        self._ended = True
        self._filled.set()

    async def run(self) -> None:
        """Send until the end."""
        while True:
            await self._filled.wait()
            batch = self._next_batch()
            if batch:
                await self._send(batch)
            elif self._ended:
                return
            else:
                self._filled.clear()

    def _next_batch(self) -> list[Line]:
        """The next lines, all sets or all deletes, as many as a request takes: at least one where there is any."""
        batch: list[Line] = []
        size = 0
        while self._lines and len(batch) < self._writes_max:
            line = self._lines[0]
            if batch and (size + line.size > _REQUEST_CHARACTERS_MAX or _deletes(line) is not _deletes(batch[0])):
                break
            batch.append(self._lines.popleft())
            size += line.size
        self._size -= size
        self._room.set()
        return batch

    async def _send(self, batch: list[Line]) -> None:
        try:
            answer = await self._client.answer(_document(len(batch), _deletes(batch[0])), _variables(batch))
            done, failed = _done(answer), _failed(answer)
        except BaseException:
            self._tally.unanswered += [line.number for line in batch]
            raise
        if not done:
            self._nothing_done(batch, failed[None])
            return
        for name, line in zip(_names(batch), batch, strict=True):
            if error := failed.get(name):
                self._tally.refuse(line.number, str(error))
            else:
                self._tally.written += 1

    def _nothing_done(self, batch: list[Line], error: RemoteError) -> None:
        """The request was refused as such: half of it may do."""
        if error.remote_code in _HOPELESS:
            raise error
        if len(batch) == 1:
            self._tally.refuse(batch[0].number, str(error))
            return
        self._writes_max = len(batch) // 2
        self._lines.extendleft(reversed(batch))
        self._size += sum(line.size for line in batch)


def _deletes(line: Line) -> bool:
    return line.value is None


def _names(batch: list[Line]) -> list[str]:
    """What the fields of a request are called in its answer; one alone needs no alias, of which there are limits."""
    if len(batch) == 1:
        return ["delete" if _deletes(batch[0]) else "set"]
    return [f"w{index}" for index in range(len(batch))]


@cache
def _document(writes: int, deletes: bool) -> str:
    """A mutation of so many fields; keys and values are variables, so that the service parses it once."""
    field, parameter, arguments = "set", "$k{n}: String! $v{n}: String!", "key: $k{n}, value: $v{n}"
    if deletes:
        field, parameter, arguments = "delete", "$k{n}: String!", "key: $k{n}"
    aliased = field if writes == 1 else "w{n}: " + field
    parameters = " ".join(parameter.format(n=n) for n in range(writes))
    fields = " ".join(f"{aliased}({arguments}) {{{{ offset }}}}".format(n=n) for n in range(writes))
    return f"mutation Load({parameters}) {{ {fields} }}"


def _variables(batch: list[Line]) -> Variables:
    keys = {f"k{index}": line.key for index, line in enumerate(batch)}
    values = {} if _deletes(batch[0]) else {f"v{index}": line.value for index, line in enumerate(batch)}
    return keys | values


def _done(answer: Any) -> bool:
    """Whether the service began with the request at all."""
    if not isinstance(answer, dict) or not (isinstance(answer.get("data"), dict) or answer.get("errors")):
        raise Unreachable("What answers is not kvs-graphql.")
    return answer.get("data") is not None


def _failed(answer: dict[str, Any]) -> dict[str | None, RemoteError]:
    """The errors, by the field they belong to; None for the first of the request as such."""
    failed: dict[str | None, RemoteError] = {}
    for error in answer.get("errors", ()):
        code = error.get("extensions", {}).get("code")
        field = error["path"][0] if error.get("path") else None
        failed.setdefault(field, RemoteError(f"{code}: {error.get('message')}", remote_code=code))
    return failed


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers, neighbours as one: 1-3, 7."""
    ends = [[number, number] for number in numbers[:1]]
    for number in numbers[1:]:
        if number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    if path == "-":
        yield sys.stdin.fileno()
        return
    with Path(path).open("rb") as file:
        yield file.fileno()


async def _chunks(file: int) -> AsyncIterator[bytes]:
    """What the file holds, as it comes; an empty chunk is its end. Only what never waits is read without asking."""
    kind = os.fstat(file).st_mode
    may_wait = stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(file)
    while True:
        if may_wait:
            await _readable(file)
        chunk = os.read(file, _CHUNK_BYTES)
        yield chunk
        if not chunk:
            return


async def _readable(file: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(file, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file)


def _size(file: int) -> int | None:
    found = os.fstat(file)
    return found.st_size if stat.S_ISREG(found.st_mode) else None


async def _show(tally: Tally, total: int | None) -> None:
    """A bar on the terminal, until cancelled."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        while True:
            bar.update(task, completed=tally.bytes_read, description=str(tally))
            await asyncio.sleep(_PROGRESS_SECONDS)
