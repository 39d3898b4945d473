"""From a schema to types in GraphQL, for each construct."""

from typing import Any

import pytest

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.json_schema import json_schema_codec
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.shapes import Choice, Enumeration, Struct
from tests.formats.data import sdl
from tests.formats.json_schema.schemas import LIMITS, codec, record, text_of

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def _sdl(schema: Any, **references: Any) -> list[str]:
    return sdl(codec(schema, **references).shape).splitlines()


def _kind(schema: Any) -> str:
    """The type of a required property."""
    return _sdl(record(a_=schema))[0].removeprefix("type Orders { a: ").removesuffix(" }")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "String!"),
        ({"type": "boolean"}, "Boolean!"),
        ({"type": "number"}, "Float!"),
        ({"type": ["number", "integer"]}, "Float!"),
        ({"type": "integer"}, "Int64!"),
        ({"type": "integer", "minimum": 0}, "Int64!"),
        ({"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, "Int!"),
        ({"type": "integer", "exclusiveMinimum": -5, "exclusiveMaximum": 10}, "Int!"),
        ({"type": "integer", "minimum": 0, "maximum": 2**31}, "Int64!"),
        ({"type": "string", "format": "date-time"}, "DateTime!"),
        ({"type": "string", "format": "date"}, "Date!"),
        ({"type": "string", "format": "time"}, "Time!"),
        ({"type": "string", "format": "uuid"}, "UUID!"),
        ({"type": "string", "format": "duration"}, "Duration!"),
        ({"type": "string", "format": "email"}, "String!"),
        ({"type": ["string", "null"]}, "String"),
        ({"type": ["null", "integer"]}, "Int64"),
        ({"type": ["string", "integer"]}, "JSON!"),
        ({"type": ["string", "integer", "null"]}, "JSON"),
        ({"type": "null"}, "JSON"),
        ({"const": "x"}, "String! ="),
        ({"const": 5}, "Int!"),
        ({"const": 2**40}, "Int64!"),
        ({"const": True}, "Boolean!"),
        ({"const": None}, "JSON"),
        ({"const": {"a": 1}}, "JSON!"),
        ({"enum": [1, 2, None]}, "Int"),
        ({"enum": [1, 2.5]}, "Float!"),
        ({"enum": ["a", 1]}, "JSON!"),
        ({"enum": []}, "JSON"),
        ({}, "JSON"),
        (True, "JSON"),
        (False, "JSON"),
        ({"type": "object"}, "JSON!"),
        ({"type": "object", "properties": {}}, "JSON!"),
        ({"type": "array"}, "JSON!"),
        ({"type": "array", "items": [{"type": "string"}, True]}, "JSON!"),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}}, "JSON!"),
        ({"type": "array", "items": {"type": "string"}}, "[String!]!"),
        ({"items": {"type": "string"}}, "[String!]"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "[String]!"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "[[Int64!]!]!"),
        ({"type": "array", "items": {}}, "[JSON]!"),
        ({"oneOf": [{"type": "null"}, {"type": "string"}]}, "String"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, "Date"),
        ({"anyOf": [{"enum": [None]}, {"const": None}, {"type": "integer"}]}, "Int64"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "JSON"),
        ({"allOf": [{"type": "string"}]}, "String!"),
        ({"allOf": [{"type": "string"}, {"maxLength": 5}]}, "JSON"),
        ({"not": {"type": "string"}}, "JSON"),
    ],
)
def test_schema_has_its_type(schema: Any, expected: str) -> None:
    assert _kind(schema) == expected


def test_properties_that_are_not_required_are_nullable() -> None:
    assert _sdl(record(a_=STRING, b=STRING, c_={"type": ["string", "null"]})) == [
        "type Orders { a: String!, b: String, c: String }"
    ]


def test_enumeration_has_its_words() -> None:
    schema = record(
        status_={"type": "string", "enum": ["new", "in progress", "null", "new"]}, more={"enum": ["a", None]}
    )
    schema["properties"]["status"]["enum"].pop()
    assert _sdl(schema) == [
        "type Orders { status: OrdersStatus!, more: OrdersMore }",
        "enum OrdersStatus { new in_progress null_ }",
        "enum OrdersMore { a }",
    ]


def test_objects_within_are_named_by_their_path() -> None:
    address = record(city_=STRING)
    assert _sdl(record(ship_to_=address, lines_={"type": "array", "items": record(n_=INTEGER)})) == [
        "type Orders { ship_to: OrdersShipTo!, lines: [OrdersLinesItem!]! }",
        "type OrdersShipTo { city: String! }",
        "type OrdersLinesItem { n: Int64! }",
    ]


def test_map_is_a_list_of_entries() -> None:
    schema = record(
        labels_={"type": "object", "additionalProperties": STRING},
        prices_={"type": "object", "additionalProperties": record(n_=INTEGER)},
    )
    assert _sdl(schema) == [
        "type Orders { labels: [OrdersLabelsEntry!]!, prices: [OrdersPricesEntry!]! }",
        "type OrdersLabelsEntry { key: String!, value: String! }",
        "type OrdersPricesEntry { key: String!, value: OrdersPricesValue! }",
        "type OrdersPricesValue { n: Int64! }",
    ]


@pytest.mark.parametrize("keyword", ["$defs", "definitions"])
def test_types_by_reference_are_named_like_what_is_referred_to(keyword: str) -> None:
    ref = {"$ref": f"#/{keyword}/line_item"}
    schema = record(first_=ref, more={"type": "array", "items": ref}, text={"$ref": f"#/{keyword}/text"})
    assert _sdl(schema | {keyword: {"line_item": record(next=ref), "text": STRING, "unused": record(x=STRING)}}) == [
        "type Orders { first: OrdersLineItem!, more: [OrdersLineItem!], text: String }",
        "type OrdersLineItem { next: OrdersLineItem }",
    ]


@pytest.mark.parametrize("reference", ["#", "#/$defs/Order", "#order", "http://shop.example/order.json"])
def test_root_may_be_a_reference_and_is_one_type(reference: str) -> None:
    order = record(parent={"$ref": reference}) | {"$anchor": "order"}
    schema = {"$id": "http://shop.example/order.json", "$ref": "#/$defs/Order", "$defs": {"Order": order}}
    assert _sdl(schema) == ["type Orders { parent: Orders }"]


def test_descriptions_and_deprecations_are_kept() -> None:
    schema = record(
        a=STRING | {"description": " The a. ", "deprecated": True}, b={"$ref": "#/$defs/B", "description": "The b."}
    )
    schema |= {
        "description": "An order.",
        "$defs": {"B": record(c={"enum": ["x"], "description": "c"}) | {"description": "A b."}},
    }
    made = codec(schema).shape
    assert isinstance(made, Struct)
    a, b = made.fields
    assert (made.description, a.description, a.deprecated) == ("An order.", "The a.", "Deprecated in the schema.")
    assert isinstance(b.shape, Struct)
    assert (b.description, b.shape.description) == ("The b.", "A b.")
    assert isinstance(b.shape.fields[0].shape, Enumeration)
    assert b.shape.fields[0].shape.description == "c"


def _card(word: str = "card") -> dict[str, Any]:
    return record(type_={"const": word}, number_=STRING)


def test_union_of_objects_with_different_constants() -> None:
    bank = record(type_={"enum": ["bank"]}, iban_=STRING)
    schema = record(payment_={"oneOf": [{"$ref": "#/$defs/Card"}, bank, {"type": "null"}]}) | {
        "$defs": {"Card": _card()}
    }
    assert _sdl(schema) == [
        "type Orders { payment: OrdersPayment }",
        "union OrdersPayment = OrdersCard | OrdersPaymentBank",
        "type OrdersCard { type: String! =, number: String! }",
        "type OrdersPaymentBank { type: OrdersPaymentBankType! =, iban: String! }",
        "enum OrdersPaymentBankType { bank }",
    ]


def test_members_of_a_union_are_named_like_their_constants() -> None:
    made = codec(record(p_={"anyOf": [_card("Card-1"), _card("id")]})).shape
    assert isinstance(made, Struct)
    assert isinstance(made.fields[0].shape, Choice)
    assert [member.name for member in made.fields[0].shape.members] == ["card_1", "id_"]


def test_discriminator_tells_which_of_two_constants_counts() -> None:
    one, other = record(a_={"const": "x"}, b_={"const": "1"}), record(a_={"const": "y"}, b_={"const": "2"})
    for hint, words in ({}, ["x", "y"]), ({"discriminator": {"propertyName": "b"}}, ["_1", "_2"]):
        made = codec(record(p_={"oneOf": [one, other]} | hint)).shape
        assert isinstance(made, Struct)
        assert isinstance(made.fields[0].shape, Choice)
        assert [member.name for member in made.fields[0].shape.members] == words


@pytest.mark.parametrize(
    "branches",
    [
        [_card(), _card()],
        [_card(), record(type={"const": "bank"})],
        [_card(), record(type_=STRING)],
        [_card(), STRING],
        [record(a_=STRING), record(b_=STRING)],
    ],
)
def test_alternatives_that_no_constant_tells_apart_are_json(branches: list[Any]) -> None:
    assert _kind({"oneOf": branches, "type": "object"}) == "JSON!"


def test_root_may_be_a_union() -> None:
    assert _sdl({"oneOf": [_card(), _card("bank")]}) == [
        "union Orders = OrdersCard | OrdersBank",
        "type OrdersCard { type: String! =, number: String! }",
        "type OrdersBank { type: String! =, number: String! }",
    ]


def test_properties_of_all_of_are_together() -> None:
    schema = {"allOf": [{"$ref": "#/$defs/Base"}, record(b_=STRING)], "properties": {"c": STRING}, "required": ["c"]}
    assert _sdl(schema | {"$defs": {"Base": record(a_=INTEGER, b=INTEGER)}}) == [
        "type Orders { a: Int64!, b: String!, c: String! }"
    ]


def test_constraints_beside_properties_do_not_matter() -> None:
    schema = record(a=STRING, b=STRING) | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "if": {}, "then": {}}
    assert _sdl(schema) == ["type Orders { a: String, b: String }"]


def test_wrapper_around_a_reference_is_what_is_referred_to() -> None:
    schema = record(a_={"allOf": [{"$ref": "#/$defs/A"}], "description": "x"}) | {"$defs": {"A": record(n_=INTEGER)}}
    assert _sdl(schema) == ["type Orders { a: OrdersA! }", "type OrdersA { n: Int64! }"]


def test_references_to_other_subjects_are_found() -> None:
    customer = {"$id": "http://shop.example/customer.json"} | record(city={"$ref": "city.json#/$defs/City"})
    city = {"$defs": {"City": record(zip_=STRING)}}
    schema = {"$id": "http://shop.example/order.json"} | record(
        by_id={"$ref": "http://shop.example/customer.json"}, by_name={"$ref": "customer.json"}
    )
    assert _sdl(schema, customer=customer, city=city) == [
        "type Orders { by_id: OrdersCustomer, by_name: OrdersCustomer }",
        "type OrdersCustomer { city: OrdersCity }",
        "type OrdersCity { zip: String! }",
    ]
    without_ids = record(a={"$ref": "customer.json"})
    assert _sdl(without_ids, customer=record(b={"$ref": "city.json#/$defs/City"}), city=city)[0] == (
        "type Orders { a: OrdersCustomer }"
    )


def test_embedded_documents_and_draft_4_ids_are_found() -> None:
    inner = {"$id": "http://x.example/inner", "$defs": {"A": record(n_=INTEGER)}} | record(a={"$ref": "#/$defs/A"})
    assert _sdl(record(i={"$ref": "http://x.example/inner"}) | {"$defs": {"i": inner}})[1:] == [
        "type OrdersInner { a: OrdersA }",
        "type OrdersA { n: Int64! }",
    ]
    draft_4 = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "definitions": {"a": {"id": "#a"} | record(n=STRING)},
    }
    assert _sdl(record(a={"$ref": "#a"}) | draft_4) == ["type Orders { a: OrdersA }", "type OrdersA { n: String }"]


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/x.json",
        "file:///etc/passwd",
        "gone.json",
        "#/$defs/gone",
        "#gone",
        "http://[::1",
        "#/properties/a/0",
    ],
)
def test_reference_that_leads_nowhere_is_refused_and_nothing_is_fetched(reference: str) -> None:
    with pytest.raises(BadSchema):
        codec(record(a={"$ref": reference}))


@pytest.mark.parametrize("text", ["", "x", "5", "[]", '"x"', "{", '{"a": NaN}', '"\ud800"', "null"])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(BadSchema) as refused:
        json_schema_codec(SchemaText("json_schema", text), "Orders", frozenset(), LIMITS)
    assert "\n" not in str(refused.value)


def test_invalid_schema_is_refused() -> None:
    with pytest.raises(BadSchema, match="it is not a schema: "):
        codec(record(a={"type": "strin"}))
    with pytest.raises(BadSchema, match="it is not a schema: "):
        codec(record(a={"type": "string", "pattern": "("}))
    with pytest.raises(BadSchema, match=r"the reference a\.json is not JSON"):
        texts = (("a.json", SchemaText("json_schema", "{")),)
        json_schema_codec(SchemaText("json_schema", "{}", texts), "Orders", frozenset(), LIMITS)


def test_dialect_of_its_own_is_read_like_the_newest_draft() -> None:
    assert _sdl(record(a=STRING) | {"$schema": "http://shop.example/dialect"}) == ["type Orders { a: String }"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    ],
)
def test_circle_of_references_is_refused(schema: Any) -> None:
    with pytest.raises(BadSchema, match="circle"):
        codec(schema)


@pytest.mark.parametrize(
    "a",
    [
        {"$ref": "#/$defs/a"},
        {"allOf": [{"$ref": "#/$defs/a"}]},
        {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]},
        {"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]},
        {"allOf": [{"$ref": "#/$defs/a"}, record(n=STRING)]},
        {"type": "array", "items": {"$ref": "#/$defs/a"}},
    ],
)
def test_circle_without_an_object_in_it_ends(a: Any) -> None:
    assert "JSON" in _sdl(record(a=a | {}) | {"$defs": {"a": a}})[0]


def test_recursion_through_lists_maps_and_unions() -> None:
    schema = record(type_={"const": "node"}, children={"type": "array", "items": {"$ref": "#/$defs/any"}})
    leaf = record(type_={"const": "leaf"}, by={"type": "object", "additionalProperties": {"$ref": "#"}})
    assert _sdl(schema | {"$defs": {"any": {"oneOf": [{"$ref": "#"}, leaf]}}}) == [
        "type Orders { type: String! =, children: [OrdersAny!] }",
        "union OrdersAny = Orders | OrdersAnyLeaf",
        "type OrdersAnyLeaf { type: String! =, by: [OrdersAnyLeafByEntry!] }",
        "type OrdersAnyLeafByEntry { key: String!, value: Orders! }",
    ]


def test_names_stay_the_same_in_another_order_and_beside_new_parts() -> None:
    line, status = record(n=INTEGER, s={"enum": ["x"]}), {"enum": ["a", "b"]}
    one = _sdl(record(line={"$ref": "#/$defs/Line"}, status=status) | {"$defs": {"Line": line}})
    other = _sdl(
        {"$defs": {"New": record(x=STRING), "Line": line}}
        | record(new={"$ref": "#/$defs/New"}, status=status, line={"$ref": "#/$defs/Line"})
    )
    assert set(one[1:]) <= set(other)


def test_names_that_are_taken_or_become_equal_are_told_apart() -> None:
    schema = record(entry=record(a=STRING), x={"$ref": "#/$defs/a-b"}, y={"$ref": "#/$defs/aB"}, id=STRING, _id=STRING)
    schema |= {"$defs": {"a-b": record(n=STRING), "aB": record(n=STRING)}}
    made = json_schema_codec(text_of(schema), "Orders", frozenset({"OrdersEntry"}), LIMITS)
    names = [line.split()[1] for line in sdl(made.shape).splitlines()]
    assert names[:2] == ["Orders", "OrdersEntry_"]
    assert [name.split("_")[0] for name in names[2:]] == ["OrdersAB", "OrdersAB"]
    assert len(set(names)) == 4
    assert "id_: String, _id_: String" in sdl(made.shape).splitlines()[0]


def test_too_many_types_and_fields_are_refused() -> None:
    schema = record(a=record(b=STRING), c={"enum": ["x", "y"]})
    codec(schema, FormatLimits(schema_types_max=3, schema_fields_max=5))
    with pytest.raises(BadSchema, match="more than 2 types"):
        codec(schema, FormatLimits(schema_types_max=2))
    with pytest.raises(BadSchema, match="more than 4 fields and values"):
        codec(schema, FormatLimits(schema_fields_max=4))


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_combinations_of_combinations_are_refused_in_bounded_time(keyword: str) -> None:
    defs: dict[str, Any] = {"a0": record(n=STRING)}
    for number in range(1, 40):
        ref = {"$ref": f"#/$defs/a{number - 1}"}
        defs[f"a{number}"] = {keyword: [ref, ref]}
    with pytest.raises(BadSchema, match="combines more than 10,000 schemas"):
        codec(record(x={"$ref": "#/$defs/a39"}) | {"$defs": defs})


def test_deep_schemas_are_refused_and_long_chains_are_not() -> None:
    deep: Any = STRING
    for _ in range(150):
        deep = {"type": "array", "items": deep}
    with pytest.raises(BadSchema, match="deeper"):
        codec(record(a=deep))
    with pytest.raises(BadSchema):
        json_schema_codec(
            SchemaText("json_schema", '{"items":' * 100_000 + "{}" + "}" * 100_000), "Orders", frozenset(), LIMITS
        )
    chain = {f"a{number}": record(next={"$ref": f"#/$defs/a{number + 1}"}) for number in range(900)}
    chain["a900"] = record(n=STRING)
    shape = codec(record(next={"$ref": "#/$defs/a0"}) | {"$defs": chain}).shape
    names = []
    while isinstance(shape, Struct):
        names.append(shape.name)
        shape = shape.fields[0].shape
    assert (len(names), names[-1]) == (902, "OrdersA900")


def test_text_above_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadSchema, match="more than 1,048,576 bytes"):
        json_schema_codec(SchemaText("json_schema", " " * 10_000_000), "Orders", frozenset(), LIMITS)
