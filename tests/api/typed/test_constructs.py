"""Every construct of Protobuf and JSON Schema, from the schema's text to a value read through GraphQL."""

from pathlib import Path

import orjson
import pytest

from kvs_graphql.api import build_schema
from kvs_graphql.executor import Executor
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.records import Record
from tests.applications import open_application
from tests.executor.subscribers import GraphQLCoreOnly
from tests.formats.protobuf.schemas import written

PROTO3 = """
syntax = "proto3"; package shop.v1;
import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto"; import "google/type/money.proto";
message Everything {
  double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7; sint64 h = 8;
  fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13; string n = 14; bytes o = 15;
  optional string p = 16; repeated int64 q = 17; map<string, Part> r = 18; Part s = 19; Kind t = 20;
  repeated Kind u = 21;
  oneof choice { string text = 22; Part part = 23; google.protobuf.Timestamp moment = 24; int32 count = 25; }
  google.protobuf.Timestamp v = 26; google.protobuf.Duration w = 27; google.protobuf.Struct x = 28;
  google.protobuf.Any y = 29; google.protobuf.Int64Value z = 30; google.protobuf.Empty aa = 31;
  google.protobuf.FieldMask ab = 32; google.type.Money ac = 33; Everything ad = 34;
  repeated google.protobuf.Value ae = 35;
  string id = 36; map<int64, google.protobuf.Timestamp> af = 37; int64 absent = 38; Part unset = 39;
  message Part { string name = 1; }
}
enum Kind { NONE = 0; SOME = 1; }
"""
IN_PROTO3 = {
    "a": 0.1,
    "b": 0.1,
    "c": -1,
    "d": str(2**63 - 1),
    "e": 2**32 - 1,
    "f": str(2**64 - 1),
    "g": -1,
    "h": "-1",
    "i": 1,
    "j": "1",
    "k": -1,
    "l": "-1",
    "m": True,
    "n": "é",
    "o": "//4=",
    "p": "",
    "q": ["1", "-2"],
    "r": {"k": {"name": "x"}},
    "s": {},
    "t": 7,
    "u": ["SOME", 9],
    "moment": "2026-01-31T00:00:00Z",
    "v": "2026-01-31T09:30:00.000001Z",
    "w": "3661.5s",
    "x": {"a": [1, None]},
    "z": "5",
    "aa": {},
    "ab": "a,bC",
    "y": {"@type": "type.googleapis.com/shop.v1.Everything.Part", "name": "y"},
    "ac": {"currencyCode": "EUR", "units": "12"},
    "ad": {"n": "inner"},
    "ae": [None, 1.5],
    "id": "i",
    "af": {"5": "2026-01-31T00:00:00Z"},
}
OF_PROTO3 = {
    "a": 0.1,
    "b": 0.1,
    "c": -1,
    "d": str(2**63 - 1),
    "e": str(2**32 - 1),
    "f": str(2**64 - 1),
    "g": -1,
    "h": "-1",
    "i": "1",
    "j": "1",
    "k": -1,
    "l": "-1",
    "m": True,
    "n": "é",
    "o": "//4=",
    "p": "",
    "q": ["1", "-2"],
    "r": [{"key": "k", "value": {"name": "x"}}],
    "s": {"name": ""},
    "t": "UNRECOGNIZED",
    "u": ["SOME", "UNRECOGNIZED"],
    "choice": {"__typename": "OrdersEverythingMomentValue", "value": "2026-01-31T00:00:00.000000000Z"},
    "v": "2026-01-31T09:30:00.000001000Z",
    "w": "PT1H1M1.500S",
    "x": {"a": [1, None]},
    "z": "5",
    "aa": {},
    "y": {"@type": "type.googleapis.com/shop.v1.Everything.Part", "name": "y"},
    "ab": "a,b_c",
    "ac": {"currency_code": "EUR", "units": "12", "nanos": 0},
    "ad": {"n": "inner"},
    "ae": [None, 1.5],
    "id_": "i",
    "af": [{"key": "5", "value": "2026-01-31T00:00:00.000000000Z"}],
    "absent": "0",
    "unset": None,
}

PROTO2 = """
syntax = "proto2";
message Old {
  required int32 a = 1; optional string b = 2; optional int32 c = 3 [default = 7];
  repeated group Line = 4 { optional int32 n = 1; }
  optional Kind d = 5; oneof choice { Old first = 6; Old second = 7; } optional bytes e = 8; extensions 100 to 200;
}
enum Kind { NONE = 1; SOME = 2; }
"""
IN_PROTO2 = {"a": 1, "line": [{"n": 5}, {}], "d": "SOME", "second": {"a": 2}}
OF_PROTO2 = {
    "a": 1,
    "b": None,
    "c": 7,
    "line": [{"n": 5}, {"n": None}],
    "d": "SOME",
    "e": None,
    "choice": {"__typename": "OrdersOldSecondValue", "value": {"a": 2}},
}

STRING = {"type": "string"}
JSON_SCHEMA = {
    "type": "object",
    "required": ["a", "b", "c", "d", "e", "kind"],
    "properties": {
        "a": STRING,
        "b": {"type": "integer"},
        "c": {"type": "integer", "minimum": 0, "maximum": 9},
        "d": {"type": "number"},
        "e": {"type": "boolean"},
        "f": {"type": ["string", "null"]},
        "g": STRING | {"format": "date-time"},
        "h": STRING | {"format": "date"},
        "i": STRING | {"format": "time"},
        "j": STRING | {"format": "uuid"},
        "k": STRING | {"format": "duration"},
        "l": {"enum": ["in progress", "done"]},
        "m": {"type": "array", "items": {"type": "integer"}},
        "n": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Part"}},
        "o": {"$ref": "#/$defs/Part"},
        "p": {"$ref": "#"},
        "q": {"oneOf": [{"$ref": "#/$defs/Card"}, {"$ref": "#/$defs/Bank"}, {"type": "null"}]},
        "r": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "s": {"allOf": [{"$ref": "#/$defs/Part"}, {"properties": {"more": STRING}}]},
        "kind": {"const": "order"},
        "id": STRING,
    },
    "$defs": {
        "Part": {"type": "object", "properties": {"name": STRING}},
        "Card": {"type": "object", "properties": {"type": {"const": "card"}, "number": STRING}, "required": ["type"]},
        "Bank": {"type": "object", "properties": {"type": {"const": "bank"}, "iban": STRING}, "required": ["type"]},
    },
}
IN_JSON = {
    "a": "é",
    "b": 2**53 + 1,
    "c": 5,
    "d": 0.1,
    "e": False,
    "f": None,
    "g": "2026-01-31T09:30:00+01:00",
    "h": "2026-01-31",
    "i": "09:30:00",
    "j": "123e4567-e89b-12d3-a456-426614174000",
    "k": "P1D",
    "l": "in progress",
    "m": [1, 2],
    "n": {"k": {"name": "x"}},
    "o": {},
    "p": {"a": "inner"},
    "q": {"type": "bank", "iban": "DE0"},
    "r": [1.50, {}],
    "s": {"name": "x", "more": "y"},
    "kind": "order",
    "id": "i",
}
OF_JSON = IN_JSON | {
    "b": str(2**53 + 1),
    "l": "in_progress",
    "m": ["1", "2"],
    "n": [{"key": "k", "value": {"name": "x"}}],
    "o": {"name": None},
    "q": {"__typename": "OrdersBank", "type": "bank", "iban": "DE0"},
    "id_": "i",
}
OF_JSON.pop("id")

QUERY_OF_PROTO3 = """
    a b c d e f g h i j k l m n o p q r { key value { name } } s { name } t u
    choice { __typename ... on OrdersEverythingMomentValue { value } ... on OrdersEverythingPart { name } }
    v w x y z aa ab ac { currency_code units nanos } ad { n } ae id_ af { key value } absent unset { name }
"""
QUERY_OF_PROTO2 = "a b c line { n } d e choice { __typename ... on OrdersOldSecondValue { value { a } } }"
QUERY_OF_JSON = """
    a b c d e f g h i j k l m n { key value { name } } o { name } p { a } r s { name more } kind id_
    q { __typename ... on OrdersCard { number } ... on OrdersBank { type iban } }
"""
CASES = {
    "proto3": ("protobuf", PROTO3, written(PROTO3, IN_PROTO3), QUERY_OF_PROTO3, OF_PROTO3),
    "proto2": ("protobuf", PROTO2, written(PROTO2, IN_PROTO2), QUERY_OF_PROTO2, OF_PROTO2),
    "json_schema": ("json_schema", orjson.dumps(JSON_SCHEMA).decode(), orjson.dumps(IN_JSON), QUERY_OF_JSON, OF_JSON),
}


def _formats(kind: str, text: str) -> TableFormats:
    source = SchemaText(kind, text)
    return TableFormats(SchemaFormat(load_codec(source, "Orders", frozenset(), FormatLimits()), source))


@pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly], ids=["compiled", "graphql-core"])
@pytest.mark.parametrize("case", CASES)
async def test_every_construct_is_read_through_graphql(tmp_path: Path, case: str, executor: type[Executor]) -> None:
    kind, text, raw, query, expected = CASES[case]
    schema = build_schema(
        {"orders": True}, {"orders": _formats(kind, text)}, json_bytes_max=100_000, data_bytes_max=100_000
    )
    records = [Record(b"0", raw, 0, 0, 0, None)]
    async with open_application(tmp_path, records, schema=schema, executor=executor, name="orders") as application:
        answer = await application.query(f'{{ ordersValue(key: "0") {{ data {{ {query} }} json }} }}')
    assert "errors" not in answer
    assert answer["data"]["ordersValue"]["data"] == expected


WRONG = {"a": 5, "b": "7", "d": "x", "e": 0, "g": 3, "l": 7, "m": {}, "n": [], "o": "part"}
"""Parts of other classes than the schema says, each with something in it."""


@pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly], ids=["compiled", "graphql-core"])
async def test_each_part_of_json_without_its_shape_is_an_error_of_its_own(
    tmp_path: Path, executor: type[Executor]
) -> None:
    formats = _formats("json_schema", orjson.dumps(JSON_SCHEMA | {"required": []}).decode())
    schema = build_schema({"orders": True}, {"orders": formats}, json_bytes_max=100_000, data_bytes_max=100_000)
    records = [
        Record(name.encode(), orjson.dumps(IN_JSON | {name: part}), 0, number, 0, None)
        for number, (name, part) in enumerate(WRONG.items())
    ]
    document = "query($key: String!) { ordersValue(key: $key) { data { a b d e g id_ l m n { key } o { name } } } }"
    async with open_application(tmp_path, records, schema=schema, executor=executor, name="orders") as application:
        # One by one: the compiled operation looks closer at all parts where one of them is wrong.
        answers = {name: await application.query(document, key=name) for name in WRONG}
    for name, answer in answers.items():
        data = answer["data"]["ordersValue"]["data"]
        assert (data["id_"], [one for one in WRONG if data[one] is None]) == ("i", [name])
        (error,) = answer["errors"]
        assert (error["path"][-1], error["extensions"]["code"]) == (name, "UNDECODABLE")


SDL = {
    "proto3": [
        "enum OrdersKind",
        "union OrdersEverythingChoiceOneOf = OrdersEverythingTextValue | OrdersEverythingPart",
        "input OrdersEverythingChoiceOneOfInput @oneOf",
        "  ad: Orders\n",
        "  f: Int64!\n",
        "  r: [OrdersEverythingREntry!]!\n",
        "  v: DateTime\n",
    ],
    "proto2": ["  a: Int!\n", "  b: String\n", "  c: Int!\n", "  c: Int\n", "union OrdersOldChoiceOneOf = "],
    "json_schema": [
        "  b: Int64!\n",
        "  c: Int!\n",
        "  g: DateTime\n",
        "  j: UUID\n",
        "  n: [OrdersNEntry!]\n",
        "union OrdersQ = OrdersCard | OrdersBank",
        "input OrdersQInput @oneOf",
        "  r: JSON\n",
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_every_construct_has_its_type(case: str) -> None:
    kind, text, *_ = CASES[case]
    printed = build_schema({"orders": True}, {"orders": _formats(kind, text)}).as_str()
    assert [one for one in SDL[case] if one not in printed] == []
