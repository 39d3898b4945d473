"""An embedded Kafka broker in its own process: librdkafka's mock cluster, without Java or containers.

`python -m kvs_graphql.demo.broker` prints one line, its address, and runs until its standard input closes or it
receives SIGTERM or SIGINT. It reads commands from standard input and answers each with one line, `ok` or an error:
`create TOPIC PARTITIONS`, `delete TOPIC`, `truncate TOPIC PARTITION BEFORE_OFFSET`, `down`, `up`.

The broker listens on a free port of 127.0.0.1, speaks the real protocol to any number of clients, and keeps everything
in memory. Observed with librdkafka 2.16 on Linux:

- Null values, headers, create times and gzip, snappy, lz4 and zstd batches are kept as sent. Idempotent producers and
  consumer groups work. Topic ids (Metadata from v10) work, and change when a topic is created again.
- A request for an unknown topic creates it with `AUTO_CREATED_PARTITIONS`.
- A partition keeps its newest `PARTITION_BYTES_MAX` (as sent, so compressed) and drops whole batches from its start.
  Nothing is compacted or expires. A value of several MB may vanish at once.
- A produce response reports LogAppendTime 1234 ms, whatever timestamp the record has.
- Transactions are accepted, but readers see open and aborted ones at any isolation level, and the control records fail
  aiokafka's CRC check.
- Not supported: admin requests (create or delete topics, describe configs), offsets by time, security, quotas.
"""

import asyncio
import ctypes
import selectors
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec
from types import TracebackType
from typing import IO, Any, Self, cast

AUTO_CREATED_PARTITIONS = 4
PARTITION_BYTES_MAX = 5 * 1024 * 1024

START_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 5.0

_OK = "ok"
_ERROR_BYTES_MAX = 512
_PRODUCER = 0
_ONE_BROKER = 1
_ONE_REPLICA = 1
_ALL_BROKERS = -1


class EmbeddedBroker:
    """A broker process that runs from `start` to `stop`, and ends with this process at the latest.

    Use it as `with EmbeddedBroker() as broker:` or, without blocking the event loop, `async with`. The broker is in its
    own session, so Ctrl-C does not reach it. All methods are thread-safe and block: `start` about 0.1 s, `stop` about
    20 ms, the others below a millisecond. If the process is killed from outside, commands raise RuntimeError; `stop`
    and another `start` still work.
    """

    def __init__(self, start_seconds_max: float = START_SECONDS_MAX) -> None:
        self._start_seconds_max = start_seconds_max
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._bootstrap_servers = ""

    @property
    def bootstrap_servers(self) -> str:
        """The address as `host:port`. Raises RuntimeError unless started."""
        self._running()
        return self._bootstrap_servers

    def start(self) -> None:
        """Start the process and wait for its address.

        Raises TimeoutError after `start_seconds_max`, and RuntimeError if the process ends instead (standard error has
        the reason) or is already running. No process is left after an error.
        """
        with self._lock:
            if self._child is not None:
                raise RuntimeError("the embedded broker is already running")
            child = _spawn()
            try:
                self._bootstrap_servers = child.read_line(self._start_seconds_max)
            except BaseException:
                child.end()
                raise
            self._child = child

    def stop(self) -> None:
        """End the process and wait for it, if there is one."""
        with self._lock:
            child, self._child = self._child, None
            if child is not None:
                child.end()

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Create a topic. Raises RuntimeError if it exists, and ValueError for a name with white space."""
        if partitions < 1:
            raise ValueError("a topic needs at least one partition")
        self._command("create", topic, partitions)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic with its records. Raises RuntimeError if it does not exist."""
        self._command("delete", topic)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Move a partition's start to `before_offset`. Raises RuntimeError if that is above its end."""
        self._command("truncate", topic, partition, before_offset)

    def go_down(self) -> None:
        """Drop all connections and refuse new ones; keep the records."""
        self._command("down")

    def come_up(self) -> None:
        """Accept connections again at the same address."""
        self._command("up")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A thread cannot be cancelled, so wait for the process that it starts, and end it.
            await asyncio.gather(starting, return_exceptions=True)
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _running(self) -> "_Child":
        if self._child is None:
            raise RuntimeError("the embedded broker is not started")
        return self._child

    def _command(self, name: str, *arguments: str | int) -> None:
        words = [name, *map(str, arguments)]
        line = " ".join(words)
        if line.split() != words:
            raise ValueError(f"a topic name must be one word: {line!r}")
        with self._lock:
            answer = self._running().ask(line)
        if answer != _OK:
            raise RuntimeError(f"embedded broker: {line}: {answer}")


@dataclass(frozen=True)
class _Child:
    """The broker's process with its standard input and output."""

    process: subprocess.Popen[bytes]
    commands: IO[bytes]
    answers: IO[bytes]

    def ask(self, line: str) -> str:
        try:
            self.commands.write(f"{line}\n".encode())
            return self.read_line(ANSWER_SECONDS_MAX)
        except BrokenPipeError as error:
            raise RuntimeError("the embedded broker has ended unexpectedly") from error
        except TimeoutError:
            # A late answer would be mistaken for the answer to the next command.
            self.process.kill()
            raise

    def read_line(self, seconds_max: float) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self.answers, selectors.EVENT_READ)
            if not selector.select(seconds_max):
                raise TimeoutError(f"no answer from the embedded broker within {seconds_max} s")
        line = self.answers.readline().decode().strip()
        if not line:
            raise RuntimeError("the embedded broker has ended unexpectedly")
        return line

    def end(self) -> None:
        with self.process:
            self.commands.close()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()


def _spawn() -> _Child:
    process = subprocess.Popen(
        [sys.executable, "-m", "kvs_graphql.demo.broker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    return _Child(process, cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout))


class _MockCluster:
    """One mock broker in this process, through the librdkafka that confluent-kafka includes.

    confluent-kafka itself offers only `test.mock.num.brokers`. Partition counts, deleting topics and outages are
    available only in rdkafka_mock.h. Every change returns `ok` or librdkafka's error message.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(_library_path())
        configuration = self._call("rd_kafka_conf_new", ctypes.c_void_p)
        # No logger: it would only warn that this client has no broker to connect to.
        self._call("rd_kafka_conf_set_log_cb", None, ctypes.c_void_p(configuration), None)
        error = ctypes.create_string_buffer(_ERROR_BYTES_MAX)
        size = ctypes.c_size_t(_ERROR_BYTES_MAX)
        arguments = _PRODUCER, ctypes.c_void_p(configuration), error, size
        client = self._call("rd_kafka_new", ctypes.c_void_p, *arguments)
        if client is None:
            raise RuntimeError(error.value.decode())
        handle = self._call("rd_kafka_mock_cluster_new", ctypes.c_void_p, ctypes.c_void_p(client), _ONE_BROKER)
        if handle is None:
            raise RuntimeError("librdkafka could not create a mock cluster")
        self._handle = ctypes.c_void_p(handle)

    def bootstrap_servers(self) -> str:
        address: bytes = self._call("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, self._handle)
        return address.decode()

    def create_topic(self, topic: str, partitions: int) -> str:
        return self._change("topic_create", topic.encode(), partitions, _ONE_REPLICA)

    def delete_topic(self, topic: str) -> str:
        return self._change("topic_delete", topic.encode())

    def delete_records(self, topic: str, partition: int, before_offset: int) -> str:
        before = ctypes.c_int64(before_offset)
        return self._change("partition_delete_records", topic.encode(), partition, before)

    def go_down(self) -> str:
        return self._change("broker_set_down", _ALL_BROKERS)

    def come_up(self) -> str:
        return self._change("broker_set_up", _ALL_BROKERS)

    def _change(self, name: str, *arguments: Any) -> str:
        code = self._call(f"rd_kafka_mock_{name}", ctypes.c_int, self._handle, *arguments)
        if code == 0:
            return _OK
        message: bytes = self._call("rd_kafka_err2str", ctypes.c_char_p, code)
        return message.decode()

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        function = self._library[name]
        function.restype = result
        return function(*arguments)


def _library_path() -> str:
    """Return the path of confluent-kafka's extension module, which exports the symbols of librdkafka.

    The package is not imported, since that would take most of the start's time.
    """
    package = find_spec("confluent_kafka")
    if package is None or package.submodule_search_locations is None:
        raise RuntimeError("the embedded broker needs confluent-kafka, which is not installed")
    module = PathFinder.find_spec("cimpl", package.submodule_search_locations)
    if module is None or module.origin is None:
        raise RuntimeError("confluent-kafka has no extension module")
    return module.origin


def _execute(cluster: _MockCluster, line: str) -> str:
    try:
        match line.split():
            case ["create", topic, partitions]:
                answer = cluster.create_topic(topic, int(partitions))
            case ["delete", topic]:
                answer = cluster.delete_topic(topic)
            case ["truncate", topic, partition, before_offset]:
                answer = cluster.delete_records(topic, int(partition), int(before_offset))
            case ["down"]:
                answer = cluster.go_down()
            case ["up"]:
                answer = cluster.come_up()
            case _:
                answer = "no such command"
    except ValueError:
        answer = "not a number"
    return answer


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _exit(*_: object) -> None:
    sys.exit(0)


def main() -> None:
    """Run a broker until standard input closes, or SIGTERM or SIGINT arrives."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    cluster = _MockCluster()
    _print(cluster.bootstrap_servers())
    for line in sys.stdin:
        _print(_execute(cluster, line))


if __name__ == "__main__":
    main()
