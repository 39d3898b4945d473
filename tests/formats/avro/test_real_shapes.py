"""Schemas in the shape of those that are in use: events, payments, telemetry."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.formats.avro.inputs import given
from tests.formats.avro.schemas import codec, logical, record, text, written
from tests.formats.data import data, sdl

# After the Avro format of CloudEvents: attributes of several types, and data of any JSON.
_JSON_PARTS = record(
    (
        "value",
        {"type": "map", "values": ["null", "boolean", {"type": "array", "items": "EventData"}, "double", "string"]},
    ),
    name="EventData",
    doc="JSON in an event.",
)
EVENT = record(
    ("attribute", {"type": "map", "values": ["null", "boolean", "int", "string", "bytes"]}),
    (
        "data",
        ["bytes", "null", "boolean", {"type": "map", "values": ["null", _JSON_PARTS, "string"]}, "double", "string"],
    ),
    name="org.events.Event",
)
EVENT_SDL = """
type Orders { attribute: [OrdersAttributeEntry!]!, data: OrdersDataChoice }
type OrdersAttributeEntry { key: String!, value: OrdersAttributeValueChoice }
union OrdersAttributeValueChoice = OrdersAttributeValueBoolean | OrdersAttributeValueInt | \
OrdersAttributeValueString | OrdersAttributeValueBytes
type OrdersAttributeValueBoolean { value: Boolean! }
type OrdersAttributeValueInt { value: Int! }
type OrdersAttributeValueString { value: String! }
type OrdersAttributeValueBytes { value: Base64! }
union OrdersDataChoice = OrdersDataBytes | OrdersDataBoolean | OrdersDataMap | OrdersDataDouble | OrdersDataString
type OrdersDataBytes { value: Base64! }
type OrdersDataBoolean { value: Boolean! }
type OrdersDataMap { value: [OrdersDataMapEntry!]! }
type OrdersDataMapEntry { key: String!, value: OrdersDataMapValueChoice }
union OrdersDataMapValueChoice = OrdersEventData | OrdersDataMapValueString
type OrdersEventData { value: [OrdersEventDataValueEntry!]! }
type OrdersEventDataValueEntry { key: String!, value: OrdersEventDataValueValueChoice }
union OrdersEventDataValueValueChoice = OrdersEventDataValueValueBoolean | OrdersEventDataValueValueArray | \
OrdersEventDataValueValueDouble | OrdersEventDataValueValueString
type OrdersEventDataValueValueBoolean { value: Boolean! }
type OrdersEventDataValueValueArray { value: [OrdersEventData!]! }
type OrdersEventDataValueValueDouble { value: Float! }
type OrdersEventDataValueValueString { value: String! }
type OrdersDataMapValueString { value: String! }
type OrdersDataDouble { value: Float! }
type OrdersDataString { value: String! }
"""
EVENT_VALUE = {
    "attribute": {"id": "1", "sampled": True, "size": 5, "none": None, "raw": ("bytes", b"\xff")},
    "data": {"order": ("org.events.EventData", {"value": {"parts": [{"value": {"price": 1.5}}]}}), "note": "new"},
}
EVENT_JSON = {
    "attribute": {"id": "1", "sampled": True, "size": 5, "none": None, "raw": "/w=="},
    "data": {"order": {"value": {"parts": [{"value": {"price": 1.5}}]}}, "note": "new"},
}

_AMOUNT = record(
    ("value", logical("bytes", "decimal", precision=18, scale=5)),
    ("currency", {"type": "fixed", "name": "Currency", "size": 3}),
    name="bank.money.Amount",
)
_CARD = record(("pan", "string"), ("expires", logical("int", "date")), name="bank.party.Card")
_ACCOUNT = record(("iban", "string"), ("holder", ["null", "string"]), name="bank.party.Account")
PAYMENT = record(
    ("id", logical("string", "uuid")),
    ("instructed", _AMOUNT),
    ("charges", {"type": "array", "items": "bank.money.Amount"}),
    ("debtor", [_ACCOUNT, _CARD]),
    ("creditor", "bank.party.Account"),
    ("status", {"type": "enum", "name": "Status", "symbols": ["ACCP", "RJCT", "PDNG"], "default": "PDNG"}),
    ("booked", ["null", logical("long", "timestamp-micros")]),
    ("due", logical("int", "date")),
    name="bank.payments.Payment",
)
PAYMENT_SDL = """
type Orders { id_: UUID!, instructed: OrdersMoneyAmount!, charges: [OrdersMoneyAmount!]!, debtor: OrdersDebtorChoice!, \
creditor: OrdersPartyAccount!, status: OrdersStatus!, booked: DateTime, due: Date! }
type OrdersMoneyAmount { value: Decimal!, currency: Base64! }
union OrdersDebtorChoice = OrdersPartyAccount | OrdersPartyCard
type OrdersPartyAccount { iban: String!, holder: String }
type OrdersPartyCard { pan: String!, expires: Date! }
enum OrdersStatus { ACCP RJCT PDNG }
"""
PAYMENT_VALUE = {
    "id": UUID(int=1),
    "instructed": {"value": Decimal("1000000000.00001"), "currency": b"EUR"},
    "charges": [],
    "debtor": ("bank.party.Card", {"pan": "4", "expires": 20_000}),
    "creditor": {"iban": "DE1", "holder": None},
    "status": "ACCP",
    "booked": 1_700_000_000_000_001,
    "due": 0,
}
PAYMENT_JSON = {
    "id": str(UUID(int=1)),
    "instructed": {"value": "1000000000.00001", "currency": "RVVS"},
    "charges": [],
    "debtor": {"pan": "4", "expires": "2024-10-04"},
    "creditor": {"iban": "DE1", "holder": None},
    "status": "ACCP",
    "booked": "2023-11-14T22:13:20.000001Z",
    "due": "1970-01-01",
}

_ATTRIBUTES = {"type": "map", "values": "string"}
_POINT = record(
    ("time_unix_nano", logical("long", "timestamp-nanos")),
    ("attributes", _ATTRIBUTES),
    ("value", ["long", "double"]),
    name="Point",
)
TELEMETRY = record(
    ("resource", record(("attributes", _ATTRIBUTES), name="Resource")),
    (
        "metrics",
        {
            "type": "array",
            "items": record(("name", "string"), ("gauge", ["null", {"type": "array", "items": _POINT}]), name="Metric"),
        },
    ),
    ("trace_id", {"type": "fixed", "name": "TraceId", "size": 16}),
    name="telemetry.v1.Batch",
)
TELEMETRY_SDL = """
type Orders { resource: OrdersResource!, metrics: [OrdersMetric!]!, trace_id: Base64! }
type OrdersResource { attributes: [OrdersResourceAttributesEntry!]! }
type OrdersResourceAttributesEntry { key: String!, value: String! }
type OrdersMetric { name: String!, gauge: [OrdersPoint!] }
type OrdersPoint { time_unix_nano: DateTime!, attributes: [OrdersPointAttributesEntry!]!, \
value: OrdersPointValueChoice! }
type OrdersPointAttributesEntry { key: String!, value: String! }
union OrdersPointValueChoice = OrdersPointValueLong | OrdersPointValueDouble
type OrdersPointValueLong { value: Int64! }
type OrdersPointValueDouble { value: Float! }
"""
_POINTS = [
    {"time_unix_nano": 1_700_000_000_000_000_001, "attributes": {"cpu": "0"}, "value": ("long", 2**60)},
    {"time_unix_nano": 0, "attributes": {}, "value": ("double", 0.5)},
]
TELEMETRY_VALUE = {
    "resource": {"attributes": {"host": "a"}},
    "metrics": [{"name": "load", "gauge": _POINTS}, {"name": "none", "gauge": None}],
    "trace_id": bytes(16),
}
TELEMETRY_JSON = {
    "resource": {"attributes": {"host": "a"}},
    "metrics": [
        {
            "name": "load",
            "gauge": [
                {"time_unix_nano": "2023-11-14T22:13:20.000000001Z", "attributes": {"cpu": "0"}, "value": 2**60},
                {"time_unix_nano": "1970-01-01T00:00:00.000000000Z", "attributes": {}, "value": 0.5},
            ],
        },
        {"name": "none", "gauge": None},
    ],
    "trace_id": "A" * 22 + "==",
}


@pytest.mark.parametrize(
    ("schema", "types", "value", "as_json"),
    [
        pytest.param(EVENT, EVENT_SDL, EVENT_VALUE, EVENT_JSON, id="events"),
        pytest.param(PAYMENT, PAYMENT_SDL, PAYMENT_VALUE, PAYMENT_JSON, id="payments"),
        pytest.param(TELEMETRY, TELEMETRY_SDL, TELEMETRY_VALUE, TELEMETRY_JSON, id="telemetry"),
    ],
)
def test_schema_in_the_shape_of_a_real_one(schema: Any, types: str, value: Any, as_json: Any) -> None:
    orders = codec(schema)
    assert sdl(orders.shape).split("\n") == types.strip().split("\n")
    payload = written(schema, value)
    found = orders.decode(payload, orders.parse(text(schema)))
    assert json.loads(orders.as_json(found)) == as_json
    assert orders.encode(given(orders.shape, data(orders.shape, found))) == payload
