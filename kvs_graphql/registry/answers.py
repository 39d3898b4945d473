"""What a registry answers, checked: anything may come from the network."""

from dataclasses import dataclass
from typing import Any

from kvs_graphql.registry.errors import RegistryUnavailable

_FORMATS = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json_schema"}
NUMBER_MAX = 2**31 - 1
"""Of ids and versions."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A schema that another one refers to by a name."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A schema as it stands in a registry."""

    format: str
    text: str
    references: tuple[Reference, ...]


def schema_of(answer: Any) -> Answer:
    """A schema, of a version or of an id. Raises: RegistryUnavailable: The answer is something else."""
    match answer:
        case {"schema": str(text)}:
            kind = answer.get("schemaType") or "AVRO"
            references = answer.get("references") or []
        case _:
            raise _unexpected("a schema")
    if not isinstance(kind, str) or kind not in _FORMATS:
        raise RegistryUnavailable("the schema registry has the schema in a format that is unknown here")
    if not isinstance(references, list):
        raise _unexpected("a schema")
    return Answer(_FORMATS[kind], text, tuple(map(_reference_of, references)))


def id_of(answer: Any) -> int:
    """The id of a version's schema. Raises: RegistryUnavailable: The answer is something else."""
    match answer:
        case {"id": int(number)} if 0 <= number <= NUMBER_MAX:
            return number
        case _:
            raise _unexpected("a version")


def numbers_of(answer: Any) -> list[int]:
    """The numbers of versions, in order. Raises: RegistryUnavailable: The answer is something else."""
    if not isinstance(answer, list) or not all(isinstance(one, int) and 0 < one <= NUMBER_MAX for one in answer):
        raise _unexpected("the versions of a subject")
    return sorted(set(answer))


def _reference_of(reference: Any) -> Reference:
    match reference:
        case {"name": str(name), "subject": str(subject), "version": int(version)} if 0 < version <= NUMBER_MAX:
            return Reference(name, subject, version)
        case _:
            raise _unexpected("a schema")


def _unexpected(expected: str) -> RegistryUnavailable:
    return RegistryUnavailable(f"the schema registry answered with something else than {expected}")
