"""The command that loads a file: many lines per request, concurrent requests, each key's lines in order."""

import asyncio
import os
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from kvs_graphql.cli.fields import field_name
from kvs_graphql.cli.lines import BadLine, Csv, Format, Line, LineSplitter, Ndjson
from kvs_graphql.cli.output import print_error, print_line, progress_bar
from kvs_graphql.cli.tables import TableFields, describe
from kvs_graphql.client import Client, Variables, connect
from kvs_graphql.errors import RemoteError, Unreachable

_SENDERS = 4
# By default a document may have 2,000 tokens and 100 aliases; a write takes one alias and 26 tokens.
_WRITES_PER_REQUEST = 75
_REQUEST_CHARACTERS_MAX = 256 * 1024
_LINES_BUFFERED_MAX = 2 * _WRITES_PER_REQUEST
_CHUNK_BYTES = 64 * 1024
_PROGRESS_SECONDS = 0.2
# Errors that all other writes would get as well.
_FATAL_CODES = frozenset({"WRITES_DISABLED", "UNAUTHENTICATED"})
_BAD_LINE = "BAD_INPUT"
"""Of a request with one line. Where a service allows smaller requests only, that is the code of larger ones."""


@dataclass(slots=True)
class Tally:
    """Outcome of the lines so far, and the number of bytes read."""

    written: int = 0
    refused: int = 0
    unanswered: list[int] = field(default_factory=list)
    """Numbers of lines that were sent without a response."""
    bytes_read: int = 0

    def __str__(self) -> str:
        return f"{self.written:,} written, {self.refused:,} refused"

    def refuse(self, number: int, reason: str) -> None:
        """Count and report a refused line."""
        self.refused += 1
        print_error(f"line {number}: {reason}")


async def load(url: str, path: str, file_format: str | None, table: str | None) -> int:
    """Write the lines of a file (`-`: standard input). Return exit code 1 if any line is refused.

    Refused lines are reported on standard error with their number and the reason, totals on standard output.

    Raises:
        Unreachable: The service went away. Lines without a response have been reported.
        RemoteError: The service accepts no writes.
    """
    tally = Tally()
    is_csv = file_format == "csv" or (file_format is None and path.endswith(".csv"))
    try:
        with _open_file(path) as file:
            async with connect(url) as client:
                # Fails before the first write if nothing answers.
                fields = await describe(client, table)
                await _load(client, file, Csv(fields) if is_csv else Ndjson(fields), tally, fields)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        if tally.unanswered:
            print_error(f"no response; these lines may have been written: {_ranges(sorted(tally.unanswered))}")
        print_line(str(tally))
    return int(tally.refused > 0)


async def _load(client: Client, file: int, file_format: Format, tally: Tally, fields: TableFields) -> None:
    senders = [_Sender(client, tally, fields) for _ in range(_SENDERS)]
    async with asyncio.TaskGroup() as tasks:
        bar = tasks.create_task(_show_progress(tally, _size(file))) if sys.stderr.isatty() else None
        sending = [tasks.create_task(sender.run()) for sender in senders]
        async for line in _read(file, file_format, tally):
            # Each key has one sender, which sends one request at a time; so its lines stay in order.
            await senders[crc32(line.order.encode()) % _SENDERS].add(line)
        for sender in senders:
            sender.end()
        await asyncio.gather(*sending)
        if bar is not None:
            bar.cancel()


async def _read(file: int, file_format: Format, tally: Tally) -> AsyncIterator[Line]:
    """Yield the parsed lines of the file, and refuse those that cannot be parsed."""
    splitter, number = LineSplitter(), 0
    async for chunk in _chunks(file):
        for raw in splitter.feed(chunk) if chunk else splitter.end():
            number += 1
            parsed = file_format.parse(number, raw)
            if isinstance(parsed, BadLine):
                tally.refuse(parsed.number, parsed.reason)
            elif parsed is not None:
                yield parsed
        tally.bytes_read += len(chunk)
    if incomplete := file_format.end():
        tally.refuse(incomplete.number, incomplete.reason)


class _Sender:
    """Sends lines in consecutive requests; each request takes the lines that arrived during the previous one."""

    def __init__(self, client: Client, tally: Tally, fields: TableFields) -> None:
        self._client = client
        self._fields = fields
        self._tally = tally
        self._lines: deque[Line] = deque()
        self._size = 0
        self._ended = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._writes_max = _WRITES_PER_REQUEST

    async def add(self, line: Line) -> None:
        """Append a line; wait while the buffer is full."""
        while len(self._lines) >= _LINES_BUFFERED_MAX or self._size >= _REQUEST_CHARACTERS_MAX:
            self._room.clear()
            await self._room.wait()
        self._lines.append(line)
        self._size += line.size
        self._filled.set()

    def end(self) -> None:
        """Announce that no more lines follow."""
        self._ended = True
        self._filled.set()

    async def run(self) -> None:
        """Send lines until `end` is called and none is left."""
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
        """Take the lines of the next request, either all sets or all deletes; at least one if there is any."""
        batch: list[Line] = []
        size = 0
        while self._lines and len(batch) < self._writes_max:
            line = self._lines[0]
            if batch and (size + line.size > _REQUEST_CHARACTERS_MAX or _is_delete(line) is not _is_delete(batch[0])):
                break
            batch.append(self._lines.popleft())
            size += line.size
        self._size -= size
        self._room.set()
        return batch

    async def _send(self, batch: list[Line]) -> None:
        try:
            response = await self._client.post(
                _document(len(batch), _is_delete(batch[0]), self._fields), _variables(batch)
            )
            executed, errors = _is_executed(response), _errors_by_field(response)
        except BaseException:
            self._tally.unanswered += [line.number for line in batch]
            raise
        if not executed:
            self._retry_smaller(batch, errors[None])
            return
        for name, line in zip(_names(batch, self._fields.name), batch, strict=True):
            if error := errors.get(name):
                self._tally.refuse(line.number, str(error))
            else:
                self._tally.written += 1

    def _retry_smaller(self, batch: list[Line], error: RemoteError) -> None:
        """Put the lines back for requests of half the size, since the service refused the request as a whole."""
        if error.remote_code in _FATAL_CODES:
            raise error
        if len(batch) == 1:
            self._tally.refuse(batch[0].number, str(error))
            if error.remote_code == _BAD_LINE:
                self._writes_max = _WRITES_PER_REQUEST
            return
        self._writes_max = len(batch) // 2
        self._lines.extendleft(reversed(batch))
        self._size += sum(line.size for line in batch)


def _is_delete(line: Line) -> bool:
    return line.value is None


def _names(batch: list[Line], table: str | None) -> list[str]:
    """Return the response names of a request's fields. A single field has no alias, since aliases are limited."""
    if len(batch) == 1:
        return [field_name("delete" if _is_delete(batch[0]) else "set", table)]
    return [f"w{index}" for index in range(len(batch))]


@lru_cache(2 * _WRITES_PER_REQUEST)
def _document(writes: int, deletes: bool, fields: TableFields) -> str:
    """Return a mutation with that many fields. Keys and values are variables, so that the service can cache it."""
    field, parameter, arguments = "delete", f"$k{{n}}: {fields.key.kind}", "key: $k{n}"
    if not deletes:
        field = "set"
        parameter, arguments = (
            f"{parameter} $v{{n}}: {fields.value.kind}",
            f"{arguments}, {fields.value_name}: $v{{n}}",
        )
    field = field_name(field, fields.name)
    aliased = field if writes == 1 else "w{n}: " + field
    parameters = " ".join(parameter.format(n=n) for n in range(writes))
    selected = " ".join(f"{aliased}({arguments}) {{{{ offset }}}}".format(n=n) for n in range(writes))
    return f"mutation Load({parameters}) {{ {selected} }}"


def _variables(batch: list[Line]) -> Variables:
    keys = {f"k{index}": line.key for index, line in enumerate(batch)}
    values = {} if _is_delete(batch[0]) else {f"v{index}": line.value for index, line in enumerate(batch)}
    return keys | values


def _is_executed(response: Any) -> bool:
    """Tell whether the service executed the request, in contrast to refusing it as a whole."""
    if not isinstance(response, dict) or not (isinstance(response.get("data"), dict) or response.get("errors")):
        raise Unreachable("The response is not from a kvs-graphql service.")
    return response.get("data") is not None


def _errors_by_field(response: dict[str, Any]) -> dict[str | None, RemoteError]:
    """Return the first error of each field, and under None the first error of the whole request."""
    errors: dict[str | None, RemoteError] = {}
    for error in response.get("errors", ()):
        code = error.get("extensions", {}).get("code")
        field = error["path"][0] if error.get("path") else None
        errors.setdefault(field, RemoteError(f"{code}: {error.get('message')}", remote_code=code))
    return errors


def _ranges(numbers: list[int]) -> str:
    """Format ascending numbers as ranges: 1-3, 7."""
    ends = [[number, number] for number in numbers[:1]]
    for number in numbers[1:]:
        if number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


@contextmanager
def _open_file(path: str) -> Iterator[int]:
    if path == "-":
        yield sys.stdin.fileno()
        return
    with Path(path).open("rb") as file:
        yield file.fileno()


async def _chunks(file: int) -> AsyncIterator[bytes]:
    """Yield the file in chunks, ending with an empty one. Pipes, sockets and terminals do not block the event loop."""
    kind = os.fstat(file).st_mode
    may_block = stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(file)
    while True:
        if may_block:
            await _wait_until_readable(file)
        chunk = os.read(file, _CHUNK_BYTES)
        yield chunk
        if not chunk:
            return


async def _wait_until_readable(file: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(file, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file)


def _size(file: int) -> int | None:
    status = os.fstat(file)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


async def _show_progress(tally: Tally, total: int | None) -> None:
    """Show a progress bar on the terminal until cancelled."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with progress_bar(*columns) as bar:
        task = bar.add_task("", total=total)
        while True:
            bar.update(task, completed=tally.bytes_read, description=str(tally))
            await asyncio.sleep(_PROGRESS_SECONDS)
