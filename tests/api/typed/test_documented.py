"""The table of constructs in `docs/typed-data.md`."""

import re
from pathlib import Path

import orjson

from kvs_graphql.formats import ScalarKind
from tests.api.typed.test_constructs import JSON_SCHEMA, PROTO2, PROTO3
from tests.formats.avro.test_constructs import FIELDS

DOCUMENT = Path(__file__).parents[3] / "docs" / "typed-data.md"
TESTED = (
    set(re.findall(r"[\w-]+", orjson.dumps([kind for kind, *_ in FIELDS.values()]).decode())),
    set(re.findall(r"[\w.]+", PROTO3.replace("/", ".") + PROTO2)),
    set(re.findall(r"[\w$-]+", orjson.dumps(JSON_SCHEMA).decode())),
)
"""The words of the schemas of Avro, Protobuf and JSON Schema."""
SHOWN_ONLY = {"UNRECOGNIZED"}


def rows() -> list[list[str]]:
    """The words in each cell, row by row."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")][1:]
    return [[" ".join(re.findall(r"`([^`]+)`", cell)) for cell in line.split("|")[1:-1]] for line in lines]


def test_each_scalar_has_its_row() -> None:
    assert {kind.value for kind in ScalarKind} <= {first for first, *_ in rows()}


def test_each_construct_in_the_table_is_in_the_schema_of_a_test() -> None:
    for _, *formats, _ in rows():
        for cell, tested in zip(formats, TESTED, strict=True):
            assert set(cell.split()) - tested - SHOWN_ONLY == set()
