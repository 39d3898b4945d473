"""File descriptors: how many the service needs, and how many connections that leaves.

Every connection of a client takes one. The others are reserved, so that clients who open all connections they can never
keep the service from reading Kafka, writing its table, opening a file or answering a probe:

- the process, the event loop, the listening socket and the log, about 16;
- of each table, a database file and its log (WAL) for each connection to it, twice during a rebuild; temporary files of
  SQLite;
- of each table, connections to Kafka: one for questions about the topic, and one to each broker for the consumer and
  for the producer, twice while sessions change; those of the first table are among the 64 others;
- connections beyond the limit, which get an answer (`connection_slots`), and those that are being closed;
- files of the pages, which are read in threads.
"""

import resource

from kvs_graphql.errors import BadSetting
from kvs_graphql.runtime.connection_slots import RESERVE_MAX
from kvs_graphql.settings import DEFAULT_CONNECTIONS_MAX, Settings

_OTHERS = 64
_PER_DATABASE_CONNECTION = 4
_KAFKA_PER_FURTHER_TABLE = 8
_CONNECTIONS_MIN = 16


def raise_limit(settings: Settings) -> None:
    """Raise this process's soft limit to what the service can use, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _reserve(settings) + (settings.connections_max or DEFAULT_CONNECTIONS_MAX)
    if soft < wanted and soft != resource.RLIM_INFINITY:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def connections_max(settings: Settings) -> int:
    """Return how many connections clients may open.

    Raises:
        BadSetting: There are not enough descriptors.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    available = DEFAULT_CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else soft - _reserve(settings)
    found = settings.connections_max
    needed = _reserve(settings) + (found or _CONNECTIONS_MIN)
    if soft != resource.RLIM_INFINITY and soft < needed:
        shown = f"KVS_CONNECTIONS_MAX={found}" if found else "The service"
        raise BadSetting(
            f"{shown} needs {needed} file descriptors, and this process may open {soft}: ulimit -n {needed}"
        )
    return found or min(DEFAULT_CONNECTIONS_MAX, available)


def _reserve(settings: Settings) -> int:
    tables = len(settings.catalog)
    databases = tables * _PER_DATABASE_CONNECTION * (settings.reader_connections + 1)
    return _OTHERS + RESERVE_MAX + databases + (tables - 1) * _KAFKA_PER_FURTHER_TABLE
