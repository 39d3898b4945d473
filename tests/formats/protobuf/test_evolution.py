"""Which versions of a schema can be read by which."""

import pytest

from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.protobuf import cannot_read
from tests.formats.data import data
from tests.formats.protobuf.schemas import codec, linked, schema, written

PROTO2, PROTO3 = 'syntax = "proto2";', 'syntax = "proto3";'


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("message A { int32 a = 1; string b = 2; }", "message A { int32 a = 1; }"),
        ("message A { int32 a = 1; }", "message A { int32 a = 1; string b = 2; }"),
        ("message A { int32 new_name = 1; }", "message A { int32 a = 1; }"),
        ("message A { int64 a = 1; }", "message A { int32 a = 1; }"),
        ("message A { int64 a = 1; }", "message A { uint32 a = 1; }"),
        ("message A { uint64 a = 1; }", "message A { uint32 a = 1; }"),
        ("message A { sint64 a = 1; }", "message A { sint32 a = 1; }"),
        ("message A { int32 a = 1; }", "message A { bool a = 1; }"),
        ("message A { int32 a = 1; }", "message A { E a = 1; } enum E { X = 0; }"),
        ("message A { E a = 1; } enum E { X = 0; }", "message A { int32 a = 1; }"),
        ("message A { E a = 1; } enum E { X = 0; }", "message A { E a = 1; } enum E { X = 0; Y = 1; }"),
        ("message A { bytes a = 1; }", "message A { string a = 1; }"),
        ("message A { string a = 1; }", "message A { bytes a = 1; }"),
        ("message A { optional int32 a = 1; }", "message A { int32 a = 1; }"),
        ("message A { repeated int32 a = 1; }", "message A { int32 a = 1; }"),
        ("message A { oneof o { int32 a = 1; int32 b = 2; } }", "message A { int32 a = 1; }"),
        ("message A { int32 a = 1; int32 b = 2; }", "message A { oneof o { int32 a = 1; int32 b = 2; } }"),
        (
            "message A { A a = 1; B b = 2; } message B { A a = 1; }",
            "message A { A a = 1; B b = 2; } message B { A a = 1; }",
        ),
        ("message X {} message A { int32 a = 1; }", "message A { int32 a = 1; }"),
        ("message A { C b = 1; } message C { int32 n = 1; }", "message A { B b = 1; } message B { int32 n = 1; }"),
        (
            "message A { repeated Pair m = 1; } message Pair { string key = 1; int32 value = 2; }",
            "message A { map<string, int32> m = 1; }",
        ),
    ],
)
def test_readable(reader: str, writer: str) -> None:
    assert cannot_read(linked(PROTO3 + reader), linked(PROTO3 + writer), "A") is None


@pytest.mark.parametrize(
    ("reader", "writer", "reason"),
    [
        ("message A { int32 a = 1; }", "message B { int32 a = 1; }", "it has no message A"),
        ("message A { string a = 1; }", "message A { int32 a = 1; }", "A.a has the type string, but was int32 before"),
        ("message A { int32 a = 1; }", "message A { int64 a = 1; }", "A.a has the type int32, but was int64 before"),
        ("message A { uint32 a = 1; }", "message A { int32 a = 1; }", "A.a has the type uint32, but was int32 before"),
        ("message A { int32 a = 1; }", "message A { uint32 a = 1; }", "A.a has the type int32, but was uint32 before"),
        ("message A { sint32 a = 1; }", "message A { int32 a = 1; }", "A.a has the type sint32, but was int32 before"),
        ("message A { double a = 1; }", "message A { float a = 1; }", "A.a has the type double, but was float before"),
        (
            "message A { sfixed32 a = 1; }",
            "message A { fixed32 a = 1; }",
            "A.a has the type sfixed32, but was fixed32 before",
        ),
        ("message A { A a = 1; }", "message A { bytes a = 1; }", "A.a has the type message, but was bytes before"),
        ("message A { int32 a = 1; }", "message A { repeated int32 a = 1; }", "A.a was repeated before"),
        (
            "message A { oneof o { int32 a = 1; int32 b = 2; } }",
            "message A { int32 a = 1; int32 b = 2; }",
            "fields of A.o did not exclude each other before",
        ),
        (
            "message A { map<int32, B> b = 1; } message B { string n = 1; }",
            "message A { map<int32, B> b = 1; } message B { int32 n = 1; }",
            "B.n has the type string, but was int32 before",
        ),
    ],
)
def test_not_readable(reader: str, writer: str, reason: str) -> None:
    assert cannot_read(linked(PROTO3 + reader), linked(PROTO3 + writer), "A") == reason


@pytest.mark.parametrize(
    ("reader", "writer", "reason"),
    [
        ("required int32 a = 1;", "optional int32 a = 1;", "A.a is required, but was not always"),
        ("required int32 a = 1;", "", "A.a is required, but was not always"),
        ("optional int32 a = 1;", "required int32 a = 1;", None),
        (
            "optional E e = 1; enum E { X = 0; }",
            "optional E e = 1; enum E { X = 0; Y = 1; }",
            "A.E has no number 1, which was Y before",
        ),
        ("optional E e = 1; enum E { X = 0; Y = 1; }", "optional E e = 1; enum E { X = 0; }", None),
        (
            "optional E e = 1; enum E { X = 0; }",
            "optional int32 e = 1;",
            "A.e was no enumeration before, and its own is closed",
        ),
        ("optional group G = 1 {}", "optional G g = 1; message G {}", "A.g has the type group, but was message before"),
    ],
)
def test_proto2(reader: str, writer: str, reason: str | None) -> None:
    one, other = (linked(f"{PROTO2} message A {{ {body} }}") for body in (reader, writer))
    assert cannot_read(one, other) == reason


def test_versions_of_different_syntax_are_read() -> None:
    one, other = PROTO3 + "message A { int32 a = 1; }", PROTO2 + "message A { optional int32 a = 1; }"
    assert cannot_read(linked(one), linked(other)) is None
    assert cannot_read(linked(other), linked(one)) is None


def test_codec_refuses_a_writer_that_it_cannot_read() -> None:
    made = codec(PROTO3 + "message A { string a = 1; }")
    with pytest.raises(BadSchema, match=r"^A\.a has the type string, but was int32 before$"):
        made.parse(schema(PROTO3 + "message A { int32 a = 1; }"))


@pytest.mark.parametrize(
    ("reader", "writer", "value", "expected"),
    [
        ("int64 a = 1;", "int32 a = 1;", {"a": -5}, {"a": "-5"}),
        ("uint64 a = 1;", "uint32 a = 1;", {"a": 2**32 - 1}, {"a": str(2**32 - 1)}),
        ("sint64 a = 1;", "sint32 a = 1;", {"a": -5}, {"a": "-5"}),
        ("int32 a = 1;", "bool a = 1;", {"a": True}, {"a": 1}),
        ("repeated int32 a = 1;", "int32 a = 1;", {"a": 5}, {"a": [5]}),
        ("int32 a = 1;", "E a = 1; enum E { X = 0; Y = 7; }", {"a": "Y"}, {"a": 7}),
        ("bytes a = 1;", "string a = 1;", {"a": "é"}, {"a": "w6k="}),
    ],
)
def test_values_of_a_readable_version_stay_what_they_are(
    reader: str, writer: str, value: dict[str, object], expected: object
) -> None:
    made = codec(f"{PROTO3} message A {{ {reader} }}")
    older = f"{PROTO3} message A {{ {writer} }}"
    assert data(made.shape, made.decode(written(older, value), made.parse(schema(older)))) == expected
