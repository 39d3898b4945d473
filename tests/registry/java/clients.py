"""Java's clients of Kafka with serializers of others, in one run of a small Java program."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf.protoc import compile_schema
from tests.formats.protobuf.schemas import schema
from tests.kafka.broker import KafkaBroker
from tests.kafka.jars import jars_of, run_source
from tests.registry.apicurio import Apicurio

SOURCE = Path(__file__).with_name("Serializers.java")
POM = Path(__file__).with_name("pom.xml")


@dataclass(frozen=True)
class Written:
    """A record that Java's producer wrote."""

    key: bytes
    partition: int


@dataclass(frozen=True)
class Read:
    """A record that Java's consumer read, with its key and value as texts."""

    partition: int
    key: str
    value: str


def serializer_jars() -> Path:
    """Return the directory with the jars. Raises KafkaMissing if they cannot be had."""
    return jars_of(POM, "serializers")


def protobuf(schema_id: int, text: str) -> str:
    """The format of the first message of a Protobuf schema, which the registry has with that id."""
    files: bytes = compile_schema(schema(text), FormatLimits()).files.SerializeToString()
    return f"protobuf {schema_id} {b64encode(files).decode()}"


def avro(text: str) -> str:
    """The format of an Avro schema, which the registry has."""
    return f"avro {' '.join(text.split())}"


def write_keys(broker: KafkaBroker, apicurio: Apicurio, keys: Iterable[tuple[str, str, str]]) -> list[Written]:
    """Write records with these keys, each a topic, a format and a text; their value is `java`."""
    lines = _run(broker, apicurio, ["\t".join(("produce", *key)) for key in keys]).splitlines()
    return [Written(bytes.fromhex(key), int(partition)) for key, partition in (line.split("\t") for line in lines)]


def read_topics(broker: KafkaBroker, apicurio: Apicurio, topics: Iterable[tuple[str, str, str]]) -> list[list[Read]]:
    """Read all records of these topics, each with the formats of its keys and values."""
    output = _run(broker, apicurio, ["\t".join(("consume", *topic)) for topic in topics])
    return [[_read(line) for line in part.splitlines()] for part in output.removesuffix("\n").split("\n\n")]


def _read(line: str) -> Read:
    partition, key, value = line.split("\t")
    return Read(int(partition), key, value)


def _run(broker: KafkaBroker, apicurio: Apicurio, lines: Sequence[str]) -> str:
    arguments = [broker.bootstrap_servers, apicurio.own_url]
    return run_source(SOURCE, serializer_jars(), "".join(f"{line}\n" for line in lines), *arguments)
