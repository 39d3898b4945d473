"""Typed data, from a real schema registry: reads, fan-out, and consuming."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench.environment import Environment, say, wait_until_listening, wait_until_ready
from bench.failures import record_failures
from bench.load.transports import WEBSOCKET
from bench.measure import FLOOR, OURS, Measurement, turns
from bench.payments import AVRO, DEBEZIUM, FIELDS, JSON_SCHEMA, PROTOBUF, format_of, records
from bench.plan import Plan
from bench.processes import Server
from bench.queries import updates
from bench.shapes.catchup import caught_up_figures, floor_figures
from bench.shapes.fanout import SameKeys, Subject, bare_floor, measure_same_keys
from bench.shapes.reads import Read, measure_one
from bench.sources import kafka_source
from bench.startup import Startup
from tests.registry.apicurio import Apicurio

TEXT = "text"
LABELS = {AVRO: "Avro", PROTOBUF: "Protobuf", JSON_SCHEMA: "JSON Schema", DEBEZIUM: "Debezium in Avro", TEXT: TEXT}
READ = (TEXT, AVRO, PROTOBUF, JSON_SCHEMA)
SAME_AVRO = SameKeys(
    WEBSOCKET, "1,000 subscribers, same Avro keys, flat out", "1,000 subscribers, same Avro keys, half the floor's rate"
)

_ENTRY = f"key data {{ {FIELDS} }}"
_ONE_CONNECTIONS, _PAGE_CONNECTIONS = 16, 4
_PAGE = 1_000
_SECONDS_MAX = 600.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic with values of one format, and the settings of a service that serves it."""

    format: str
    name: str
    settings: Mapping[str, Any]
    schema_id: int = 0


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every kind of load on typed data, in turn."""
    with _registry(environment) as registry:
        yield from record_failures("typed reads", OURS, 0, _reads(environment, registry, plan))
        yield from record_failures(SAME_AVRO.flat_out, OURS, 0, _fanout(environment, registry, plan))
        for name in (AVRO, DEBEZIUM):
            yield from record_failures(_consuming(name), OURS, 0, _consume(environment, registry, name, plan))


def _reads(environment: Environment, registry: Apicurio, plan: Plan) -> Iterator[Measurement]:
    """Measure one value and a page of each format; the floor of each decodes with the same library."""
    with ExitStack() as stack:
        subjects = {name: _subjects(environment, registry, name, plan, stack) for name in READ}
        for number in range(1, plan.rounds + 1):
            for name, servers in subjects.items():
                for read in _shapes(name):
                    for subject, server in servers.items():
                        say(f"round {number}: {read.shape}, {subject}")
                        yield measure_one(server, subject, read, number, plan)


def _shapes(name: str) -> list[Read]:
    one = Read(f"one value, {LABELS[name]}", "one", 1, _ONE_CONNECTIONS)
    page = Read(f"a page of 1,000, {LABELS[name]}", "page", _PAGE, _PAGE_CONNECTIONS)
    return [one, page] if name == TEXT else [replace(read, entry=_ENTRY) for read in (one, page)]


def _subjects(
    environment: Environment, registry: Apicurio, name: str, plan: Plan, stack: ExitStack
) -> dict[str, Server]:
    """Start the service and its floor, which reads the file that the service writes."""
    database = environment.fresh("typed") / "kvs.db"
    if name == TEXT:
        topic = Topic(TEXT, environment.topic("typed-text", plan.keys, plan.keys), {})
    else:
        topic = _topic(environment, registry, f"typed-{name}", name, plan.keys, plan.keys)
    ours = stack.enter_context(environment.service(topic.name, database, **topic.settings))
    wait_until_ready(ours)
    values = {} if name == TEXT else {"values": name}
    floor = stack.enter_context(environment.floor("reads", database=database, **values))
    wait_until_listening(floor)
    return {FLOOR: floor, OURS: ours}


def _fanout(environment: Environment, registry: Apicurio, plan: Plan) -> Iterator[Measurement]:
    """Measure many subscribers to the same Avro keys; the floor sends a ready payload that is as long."""
    topic = _topic(environment, registry, "typed-fanout", AVRO, plan.keys, plan.keys)
    typed = {"format": AVRO, "schema_id": topic.schema_id}
    with ExitStack() as stack:
        source = stack.enter_context(kafka_source(environment.broker.bootstrap_servers, topic.name, typed))
        database = environment.fresh("typed-fanout") / "kvs.db"
        server = stack.enter_context(environment.service(topic.name, database, **topic.settings))
        wait_until_ready(server)
        ours = Subject(OURS, server, source, document=updates(_ENTRY))
        floor = stack.enter_context(bare_floor(environment, ours))
        for number in range(1, plan.rounds + 1):
            floor_rate = 0.0
            for subject in (floor, ours):
                for one in measure_same_keys(subject, SAME_AVRO, number, plan, floor_rate):
                    if subject is floor:
                        floor_rate = one.figures.get("deliveries_per_s", floor_rate)
                    yield one


def _consume(environment: Environment, registry: Apicurio, name: str, plan: Plan) -> Iterator[Measurement]:
    """Measure catching up with a typed topic.

    The floor of Avro is the same service, told nothing of a format; that of envelopes reads their `op` alone, and
    writes the table without Kafka.
    """
    say(f"{plan.records:,} records for {_consuming(name)}")
    topic = _topic(environment, registry, f"consuming-{name}", name, plan.records, plan.keys)
    for number in range(1, plan.rounds + 1):
        # In turn, since the machine may be slower for a while.
        for subject in turns(number, (FLOOR, OURS)):
            if subject == OURS:
                yield _service(environment, topic, OURS, number, plan)
            elif name == AVRO:
                yield _service(environment, replace(topic, settings={}), FLOOR, number, plan)
            else:
                yield _table(environment, topic, number)


def _service(environment: Environment, topic: Topic, subject: str, number: int, plan: Plan) -> Measurement:
    shape = _consuming(topic.format)
    say(f"round {number}: {shape}, {subject}")
    database = environment.fresh("consuming") / "kvs.db"
    with environment.service(topic.name, database, **topic.settings) as server:
        caught_up = Startup(server).wait_until_ready()
    environment.discard(database.parent)
    return Measurement(shape, subject, number, caught_up_figures(plan.records, caught_up))


def _table(environment: Environment, topic: Topic, number: int) -> Measurement:
    shape = _consuming(topic.format)
    say(f"round {number}: {shape}, SQLite and `op` alone")
    database = environment.fresh("consuming") / "kvs.db"
    servers = environment.broker.bootstrap_servers
    specification = {"bootstrap_servers": servers, "topic": topic.name, "database": str(database), "envelopes": True}
    with environment.floor_worker("table", **specification) as worker:
        found = worker.receive(_SECONDS_MAX)
    environment.discard(database.parent)
    return Measurement(shape, FLOOR, number, floor_figures(found))


def _consuming(name: str) -> str:
    return f"catch up, {LABELS[name]}"


def _topic(environment: Environment, registry: Apicurio, topic: str, name: str, count: int, keys: int) -> Topic:
    """Create a topic with this many records of a format, whose schema the registry has."""
    form = format_of(name)
    schema_id = registry.register(f"{topic}-value", form.schema, form.kind)
    environment.topic_of(topic, records(name, schema_id, count, keys))
    settings = {"schema_registry-url": registry.url, "value_format": AVRO if name == DEBEZIUM else name}
    envelope = {"envelope": "debezium"} if name == DEBEZIUM else {}
    return Topic(name, topic, {**settings, **envelope}, schema_id)


@contextmanager
def _registry(environment: Environment) -> Iterator[Apicurio]:
    registry = Apicurio(environment.fresh("registry"))
    registry.start()
    try:
        yield registry
    finally:
        registry.close()
