"""From the text of a schema to types in GraphQL, for each construct."""

from typing import Any

import pytest

from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf import protobuf_codec
from kvs_graphql.formats.shapes import Choice, Enumeration, Many, Struct
from tests.formats.data import sdl
from tests.formats.protobuf.schemas import LIMITS, codec, schema

PROTO3 = 'syntax = "proto3"; package shop.v1;'


def _sdl(body: str, **options: Any) -> list[str]:
    return sdl(codec(body, **options).shape).splitlines()


def test_scalars_of_proto3_are_not_nullable_and_have_a_default() -> None:
    kinds = "double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string bytes"
    body = "".join(f"{kind} {kind}_value = {number};" for number, kind in enumerate(kinds.split(), 1))
    assert _sdl(f"{PROTO3} message Order {{ {body} }}") == [
        (
            "type Orders { double_value: Float! =, float_value: Float! =, int32_value: Int! =, int64_value: Int64! =, "
            "uint32_value: Int64! =, uint64_value: Int64! =, sint32_value: Int! =, sint64_value: Int64! =, "
            "fixed32_value: Int64! =, fixed64_value: Int64! =, sfixed32_value: Int! =, sfixed64_value: Int64! =, "
            "bool_value: Boolean! =, string_value: String! =, bytes_value: Base64! = }"
        )
    ]


def test_fields_with_presence_are_nullable() -> None:
    assert _sdl(PROTO3 + "message Order { optional int32 a = 1; Line line = 2; } message Line { int32 n = 1; }") == [
        "type Orders { a: Int, line: OrdersLine }",
        "type OrdersLine { n: Int! = }",
    ]


def test_proto2_has_required_fields_presence_and_defaults() -> None:
    body = "message Order { required int32 a = 1; optional int32 b = 2; optional int32 c = 3 [default = 7]; }"
    assert _sdl('syntax = "proto2"; ' + body) == ["type Orders { a: Int!, b: Int, c: Int! = }"]
    assert _sdl(body) == ["type Orders { a: Int!, b: Int, c: Int! = }"]


def test_editions_say_presence_by_features() -> None:
    body = """edition = "2023"; message Order {
        int32 a = 1; int32 b = 2 [features.field_presence = IMPLICIT];
        int32 c = 3 [features.field_presence = LEGACY_REQUIRED];
        Order d = 4 [features.message_encoding = DELIMITED]; }"""
    assert _sdl(body) == ["type Orders { a: Int, b: Int! =, c: Int!, d: Orders }"]


def test_groups_are_messages() -> None:
    assert _sdl('syntax = "proto2"; message Order { repeated group Line = 1 { optional int32 n = 1; } }') == [
        "type Orders { line: [OrdersOrderLine!]! = }",
        "type OrdersOrderLine { n: Int }",
    ]


def test_repeated_fields_are_lists_and_maps_are_lists_of_entries() -> None:
    body = "message Order { repeated int32 ns = 1; map<string, Line> lines = 2; } message Line { int32 n = 1; }"
    made = codec(PROTO3 + body).shape
    assert sdl(made).splitlines() == [
        "type Orders { ns: [Int!]! =, lines: [OrdersOrderLinesEntry!]! = }",
        "type OrdersOrderLinesEntry { key: String!, value: OrdersLine! }",
        "type OrdersLine { n: Int! = }",
    ]
    assert isinstance(made, Struct)
    assert [isinstance(field.shape, Many) and field.shape.is_map for field in made.fields] == [False, True]


def test_open_enumeration_has_a_value_for_numbers_without_a_name() -> None:
    body = "message Order { Status status = 1; } enum Status { NEW = 0; PAID = 1; }"
    assert _sdl(PROTO3 + body) == [
        "type Orders { status: OrdersStatus! = }",
        "enum OrdersStatus { NEW PAID UNRECOGNIZED }",
    ]
    assert _sdl('syntax = "proto2";' + body.replace("Status status", "required Status status"))[1] == (
        "enum OrdersStatus { NEW PAID }"
    )
    assert _sdl(PROTO3 + body.replace("PAID", "UNRECOGNIZED"))[1] == (
        "enum OrdersStatus { NEW UNRECOGNIZED UNRECOGNIZED_ }"
    )


def test_first_name_of_a_number_is_shown_and_words_of_graphql_get_an_underscore() -> None:
    body = "enum E { option allow_alias = true; true = 0; NO = 1; null = 1; YES = 0; } message A { E e = 1; }"
    assert _sdl(PROTO3 + body)[1] == "enum OrdersE { true_ NO UNRECOGNIZED }"


def test_oneof_is_a_union_with_wrappers_of_what_is_no_message() -> None:
    body = """
    message Order {
      oneof payment {
        Card card = 1; string voucher = 2; int32 points = 3; google.protobuf.Timestamp at = 4; Nothing nothing = 5;
        Kind kind = 6;
      }
      optional int32 rank = 7;
    }
    message Card { string number = 1; } message Nothing {} enum Kind { A = 0; }"""
    assert _sdl(PROTO3 + 'import "google/protobuf/timestamp.proto";' + body) == [
        "type Orders { payment: OrdersOrderPaymentOneOf, rank: Int }",
        (
            "union OrdersOrderPaymentOneOf = OrdersCard | OrdersOrderVoucherValue | OrdersOrderPointsValue | "
            "OrdersOrderAtValue | OrdersOrderNothingValue | OrdersOrderKindValue"
        ),
        "type OrdersCard { number: String! = }",
        "type OrdersOrderVoucherValue { value: String! }",
        "type OrdersOrderPointsValue { value: Int! }",
        "type OrdersOrderAtValue { value: DateTime! }",
        "type OrdersOrderNothingValue { value: JSON }",
        "type OrdersOrderKindValue { value: OrdersKind! }",
        "enum OrdersKind { A UNRECOGNIZED }",
    ]


def test_members_of_one_type_are_wrapped_so_that_they_can_be_told_apart() -> None:
    body = "message Order { oneof by { Card first = 1; Card second = 2; } } message Card { string number = 1; }"
    assert _sdl(PROTO3 + body)[1:] == [
        "union OrdersOrderByOneOf = OrdersOrderFirstValue | OrdersOrderSecondValue",
        "type OrdersOrderFirstValue { value: OrdersCard! }",
        "type OrdersCard { number: String! = }",
        "type OrdersOrderSecondValue { value: OrdersCard! }",
    ]


def test_members_are_inputs_by_their_own_names() -> None:
    body = "message Order { oneof by { string id = 1; int32 n = 2; } }"
    made = codec(PROTO3 + body).shape
    assert isinstance(made, Struct)
    assert isinstance(made.fields[0].shape, Choice)
    assert [(member.name, member.is_wrapper) for member in made.fields[0].shape.members] == [("id_", True), ("n", True)]


def test_well_known_types_are_scalars() -> None:
    kinds = (
        "Timestamp Duration DoubleValue FloatValue Int64Value UInt64Value Int32Value UInt32Value BoolValue StringValue"
    )
    kinds += " BytesValue Struct Value ListValue Any Empty FieldMask"
    files = "timestamp duration wrappers struct any empty field_mask"
    text = PROTO3 + "".join(f'import "google/protobuf/{file}.proto";' for file in files.split())
    body = "".join(f"google.protobuf.{kind} {kind} = {number};" for number, kind in enumerate(kinds.split(), 1))
    assert _sdl(f"{text} message Order {{ {body} }}") == [
        (
            "type Orders { Timestamp: DateTime, Duration: Duration, DoubleValue: Float, FloatValue: Float, "
            "Int64Value: Int64, UInt64Value: Int64, Int32Value: Int, UInt32Value: Int64, BoolValue: Boolean, "
            "StringValue: String, BytesValue: Base64, Struct: JSON, Value: JSON, ListValue: JSON, Any: JSON, "
            "Empty: JSON, FieldMask: JSON }"
        )
    ]


def test_other_types_of_google_are_plain_messages() -> None:
    text = PROTO3 + 'import "google/type/date.proto"; message Order { google.type.Date day = 1; }'
    assert _sdl(text) == [
        "type Orders { day: OrdersGoogleTypeDate }",
        "type OrdersGoogleTypeDate { year: Int! =, month: Int! =, day: Int! = }",
    ]


def test_recursive_messages_refer_to_themselves() -> None:
    body = "message Node { repeated Node children = 1; Pair pair = 2; } message Pair { Node left = 1; }"
    assert _sdl(PROTO3 + body, name="Nodes") == [
        "type Nodes { children: [Nodes!]! =, pair: NodesPair }",
        "type NodesPair { left: Nodes }",
    ]


def test_message_without_fields_is_json() -> None:
    assert _sdl(PROTO3 + "message Order {}") == ["JSON"]


def test_message_is_chosen_by_its_name() -> None:
    text = PROTO3 + "message A { int32 a = 1; message B { int32 b = 1; } } message C { int32 c = 1; A.B b = 2; }"
    assert _sdl(text, message="shop.v1.C", name="Cs") == [
        "type Cs { c: Int! =, b: CsAB }",
        "type CsAB { b: Int! = }",
    ]
    assert _sdl(text, message="shop.v1.A.B", name="Bs") == ["type Bs { b: Int! = }"]
    with pytest.raises(BadSchema, match=r"no message shop\.v1\.D"):
        codec(text, message="shop.v1.D")


def test_names_stay_the_same_in_another_order_and_beside_new_parts() -> None:
    line, kind = "message Line { Kind kind = 1; oneof x { int32 n = 2; } }", "enum Kind { A = 0; }"
    order = "message Order { Line line = 1; map<string, Line> more = 2; %s }"
    one = _sdl(PROTO3 + order % "" + line + kind)
    other = _sdl(
        PROTO3 + kind + "message Line2 { int32 l = 1; }" + line + order % "Line2 x = 3;", message="shop.v1.Order"
    )
    assert set(one[1:]) <= set(other)


def test_names_that_are_taken_or_become_equal_are_told_apart() -> None:
    text = PROTO3 + (
        "message Order { Entry entry = 1; line_item a = 2; LineItem b = 3; LineInput c = 4; int32 id = 5;"
        "int32 _id = 6; } message Entry { int32 n = 1; } message line_item { int32 n = 1; }"
        "message LineItem { int32 n = 1; } message LineInput { int32 n = 1; }"
    )
    names = sdl(protobuf_codec(schema(text), "Orders", frozenset({"OrdersEntry"}), LIMITS).shape).splitlines()
    assert [name.split(" {")[0].split("_")[0] for name in names] == [
        "type Orders",
        "type OrdersEntry",
        "type OrdersLineItem",
        "type OrdersLineItem",
        "type OrdersLineInput",
    ]
    assert len({name.split()[1] for name in names}) == 5
    assert names[1].startswith("type OrdersEntry_ {")
    assert "id_: Int! =, _id_: Int! =" in names[0]


def test_comments_and_deprecations_are_kept() -> None:
    made = codec(
        """syntax = "proto3";
        // An order
        //   of a shop.
        message Order {
          int32 old = 1 [deprecated = true];  // the number
          /* How it is paid. */
          oneof payment {
            string voucher = 2;
            // by points
            int32 points = 3;
          }
          Status status = 4;
          // What a status is.
          enum Status {
            NEW = 0;  // not yet paid
          }
        }"""
    ).shape
    assert isinstance(made, Struct)
    old, payment, status = made.fields
    assert (made.description, old.description, old.deprecated) == (
        "An order\nof a shop.",
        "the number",
        "Deprecated in the schema.",
    )
    assert isinstance(payment.shape, Choice)
    assert isinstance(status.shape, Enumeration)
    assert (payment.description, payment.shape.members[1].struct.description) == ("How it is paid.", "by points")
    assert (status.shape.description, status.shape.values[0].description) == ("What a status is.", "not yet paid")


def test_extensions_are_no_fields() -> None:
    text = "message A { optional int32 a = 1; extensions 100 to 200; } extend A { optional int32 b = 100; }"
    assert _sdl('syntax = "proto2";' + text) == ["type Orders { a: Int }"]


def test_field_with_the_name_of_a_method_is_refused() -> None:
    with pytest.raises(BadSchema, match="a field cannot have the name HasField"):
        codec(PROTO3 + "message Order { string HasField = 1; }")


def test_too_many_types_and_fields_are_refused() -> None:
    text = PROTO3 + "message A { B b = 1; E e = 2; } message B { int32 n = 1; } enum E { X = 0; Y = 1; }"
    codec(text, limits=FormatLimits(schema_types_max=3, schema_fields_max=5))
    with pytest.raises(BadSchema, match="more than 2 types"):
        codec(text, limits=FormatLimits(schema_types_max=2))
    with pytest.raises(BadSchema, match="more than 4 fields and values"):
        codec(text, limits=FormatLimits(schema_fields_max=4))
    many = PROTO3 + "".join(f"message A{n} {{ A{n + 1} a = 1; }}" for n in range(5_000)) + "message A5000 {}"
    with pytest.raises(BadSchema, match="more than 1,000 types"):
        codec(many)


def test_unreachable_types_do_not_count() -> None:
    text = PROTO3 + "message A { int32 n = 1; } message B { int32 n = 1; C c = 2; } message C { int32 n = 1; }"
    assert _sdl(text, limits=FormatLimits(schema_types_max=1, schema_fields_max=1)) == ["type Orders { n: Int! = }"]
