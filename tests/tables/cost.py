"""Measure what many small tables cost one process.

`python -m tests.tables.cost [--tables 50] [--seconds 30]` prints, of a first start and of one with the files of the
first: the time until the service is ready, and then memory, threads, descriptors, connections to the broker, and the
share of a processor while nothing happens.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.process import GuardedProcess
from tests.kafka.produce import produce
from tests.ports import HOST, free_port

PARTITIONS, KEYS = 4, 1_000
SETTLE_SECONDS = 5
MIB = 2**20


def configuration(broker: KafkaBroker, tables: int, directory: Path) -> Path:
    """Create the topics and their records; return a configuration with a table for each."""
    lines = [f'bootstrap_servers = "{broker.bootstrap_servers}"', f'database = "{directory / "tables"}"']
    for number in range(tables):
        topic = f"topic-{number}"
        broker.create_topic(topic, PARTITIONS, cleanup_policy="compact")
        produce(broker.bootstrap_servers, topic, [(b"key-%d" % key, bytes(100)) for key in range(KEYS)])
        lines += [f"[tables.t{number}]", f'topic = "{topic}"']
    path = directory / "kvs.toml"
    path.write_text("\n".join(lines))
    return path


def wait_until_ready(port: int) -> None:
    """Return once the service answers that it is ready."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://{HOST}:{port}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the service is not ready")


def measure(broker: KafkaBroker, config: Path, seconds: float, name: str) -> None:
    """Start the service, and print what it costs."""
    port, began = free_port(), time.perf_counter()
    os.environ["KVS_CONFIG"] = str(config)
    command = [sys.executable, "-m", "kvs_graphql", "serve", f"--port={port}"]
    process = GuardedProcess(command, config.with_name(f"{name}.log"))
    try:
        wait_until_ready(port)
        ready = time.perf_counter() - began
        measured = psutil.Process(process.pid)
        to_ready = sum(measured.cpu_times()[:2])
        time.sleep(SETTLE_SECONDS)
        before, started = sum(measured.cpu_times()[:2]), time.perf_counter()
        time.sleep(seconds)
        busy = (sum(measured.cpu_times()[:2]) - before) / (time.perf_counter() - started)
        (broker_port,) = {int(address.rpartition(":")[2]) for address in broker.bootstrap_servers.split(",")}
        connections = [c for c in measured.net_connections("tcp") if c.raddr and c.raddr.port == broker_port]
        print(
            f"{name}: ready after {ready:.1f} s ({to_ready:.1f} s of processor), "
            f"{measured.memory_info().rss / MIB:.0f} MiB, {busy:.1%} of a processor when nothing happens, "
            f"{measured.num_fds()} descriptors, {measured.num_threads()} threads, "
            f"{len(connections)} connections to the broker"
        )
    finally:
        process.terminate(SECONDS_MAX)


def main() -> None:
    """Measure a first and a second start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        broker = KafkaBroker(Path(directory, "kafka"))
        broker.start()
        try:
            config = configuration(broker, options.tables, Path(directory))
            for name in ("first", "second"):
                measure(broker, config, options.seconds, name)
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
