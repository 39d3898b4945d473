"""Schemas in the shape of those that people have: events with any content, telemetry, payments."""

from tests.formats.data import sdl
from tests.formats.protobuf.schemas import codec, shown

CLOUD_EVENT = """
syntax = "proto3"; package io.events.v1;
import "google/protobuf/any.proto"; import "google/protobuf/timestamp.proto";
option java_package = "io.events.v1";
message Event {
  string id = 1; string source = 2; string spec_version = 3; string type = 4;
  map<string, Attribute> attributes = 5;
  oneof data { bytes binary_data = 6; string text_data = 7; google.protobuf.Any proto_data = 8; }
  message Attribute {
    oneof attr {
      bool ce_boolean = 1; int32 ce_integer = 2; string ce_string = 3; bytes ce_bytes = 4;
      google.protobuf.Timestamp ce_timestamp = 7;
    }
  }
}
"""

TELEMETRY = """
syntax = "proto3"; package telemetry.metrics.v1;
message Batch { repeated Resource resources = 1; }
message Resource { map<string, Value> labels = 1; repeated Metric metrics = 2; }
message Metric {
  string name = 1;
  oneof data { Gauge gauge = 5; Sum sum = 7; }
}
message Gauge { repeated Point points = 1; }
message Sum { repeated Point points = 1; Temporality temporality = 2; bool monotonic = 3; }
enum Temporality { TEMPORALITY_UNSPECIFIED = 0; TEMPORALITY_DELTA = 1; TEMPORALITY_CUMULATIVE = 2; }
message Point { fixed64 time_unix_nano = 3; oneof value { double as_double = 4; sfixed64 as_int = 6; } }
message Value { oneof value { string string_value = 1; ListValue list_value = 5; } }
message ListValue { repeated Value values = 1; }
"""

PAYMENT = """
syntax = "proto2"; package bank;
message Payment {
  required string id = 1;
  required Amount amount = 2;
  optional Status status = 3 [default = PENDING];
  repeated Leg legs = 4;
  enum Status { PENDING = 1; SETTLED = 2; }
  message Amount { required sint64 units = 1; optional uint32 scale = 2 [default = 2]; required string currency = 3; }
  message Leg { optional string iban = 1; optional Amount amount = 2; }
}
"""

CLOUD_EVENT_VALUE = {
    "id": "1",
    "source": "/shop",
    "specVersion": "1.0",
    "type": "order.paid",
    "attributes": {"n": {"ceInteger": 5}, "at": {"ceTimestamp": "2026-01-31T09:30:00Z"}},
    "textData": "{}",
}
TELEMETRY_VALUE = {
    "resources": [
        {
            "labels": {"host": {"listValue": {"values": [{"stringValue": "a"}]}}},
            "metrics": [
                {"name": "cpu", "gauge": {"points": [{"timeUnixNano": "1769851800000000000", "asDouble": 0.5}]}},
                {"name": "requests", "sum": {"points": [{"asInt": "-1"}], "temporality": 2, "monotonic": True}},
            ],
        }
    ]
}
PAYMENT_VALUE = {"id": "1", "amount": {"units": "-1250", "currency": "EUR"}, "legs": [{"iban": "DE0"}]}


def test_cloud_event() -> None:
    assert shown(CLOUD_EVENT, CLOUD_EVENT_VALUE) == {
        "id_": "1",
        "source": "/shop",
        "spec_version": "1.0",
        "type": "order.paid",
        "attributes": [
            {
                "key": "at",
                "value": {
                    "attr": {
                        "__typename": "OrdersEventAttributeCeTimestampValue",
                        "value": "2026-01-31T09:30:00.000000000Z",
                    }
                },
            },
            {"key": "n", "value": {"attr": {"__typename": "OrdersEventAttributeCeIntegerValue", "value": 5}}},
        ],
        "data": {"__typename": "OrdersEventTextDataValue", "value": "{}"},
    }


def test_telemetry() -> None:
    (resource,) = shown(TELEMETRY, TELEMETRY_VALUE)["resources"]
    assert resource["labels"][0]["value"]["value"]["values"][0]["value"]["value"] == "a"
    gauge, total = resource["metrics"]
    assert gauge["data"] == {
        "__typename": "OrdersGauge",
        "points": [
            {
                "time_unix_nano": "1769851800000000000",
                "value": {"__typename": "OrdersPointAsDoubleValue", "value": 0.5},
            }
        ],
    }
    assert (total["data"]["temporality"], total["data"]["points"][0]["value"]["value"]) == (
        "TEMPORALITY_CUMULATIVE",
        "-1",
    )


def test_payment() -> None:
    assert sdl(codec(PAYMENT, name="Payments").shape).splitlines() == [
        (
            "type Payments { id_: String!, amount: PaymentsPaymentAmount!, status: PaymentsPaymentStatus! =, "
            "legs: [PaymentsPaymentLeg!]! = }"
        ),
        "type PaymentsPaymentAmount { units: Int64!, scale: Int64! =, currency: String! }",
        "enum PaymentsPaymentStatus { PENDING SETTLED }",
        "type PaymentsPaymentLeg { iban: String, amount: PaymentsPaymentAmount }",
    ]
    assert shown(PAYMENT, PAYMENT_VALUE) == {
        "id_": "1",
        "amount": {"units": "-1250", "scale": "2", "currency": "EUR"},
        "status": "PENDING",
        "legs": [{"iban": "DE0", "amount": None}],
    }
