"""Keys, values and ids: encoded and decoded without loss, or refused."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Pair, Served, serving_topic

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDS: list[Pair] = [
    ("Schlüssel".encode(), "Wert €".encode()),
    (b"\xff/\x00", b"\xfe\xff"),
    (b"gone", b"there"),
    (b"gone", None),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[Served]:
    directory = tmp_path_factory.mktemp("encodings")
    async with serving_topic(embedded_broker, directory, *RECORDS, table=table) as topic:
        yield topic.served


@pytest.mark.parametrize(
    ("encoding", "key"),
    [("UTF8", "Schlüssel"), ("BASE64", "U2NobMO8c3NlbA=="), ("HEX", "5363686cc3bc7373656c")],
)
async def test_keys_and_values_are_exact_in_every_encoding(served: Served, encoding: str, key: str) -> None:
    document = """
    query($key: String!, $encoding: Encoding!) {
      value(key: $key, keyEncoding: $encoding) { id key(encoding: $encoding) hex: value(encoding: HEX) size }
    }
    """
    found = await served.data(document, key=key, encoding=encoding)
    assert served.table or found["value"]["id"] == "U2NobMO8c3NlbA"
    assert found["value"] == {
        "id": served.id_of("Schlüssel".encode()),
        "key": key,
        "hex": "5765727420e282ac",
        "size": 8,
    }


async def test_key_that_is_not_utf8_shows_its_bytes_and_is_exact_in_base64_and_hex(served: Served) -> None:
    fields = "key base64: key(encoding: BASE64) hex: key(encoding: HEX)"
    entry = (await served.data(f'{{ value(key: "ff2f00", keyEncoding: HEX) {{ {fields} }} }}'))["value"]
    assert entry == {"key": "\\xff/\0", "base64": "/y8A", "hex": "ff2f00"}


async def test_node_finds_an_entry_by_its_id_and_names_its_type(served: Served) -> None:
    by_key = await served.data('{ value(key: "ff2f00", keyEncoding: HEX) { id } }')
    document = "query($id: ID!) { node(id: $id) { __typename id ... on Entry { key(encoding: HEX) } } }"
    found = (await served.data(document, id=by_key["value"]["id"]))["node"]
    assert served.table or found["id"] == "_y8A"
    kind = "OrdersEntry" if served.table else "Entry"
    assert found == {"__typename": kind, "id": served.id_of(b"\xff/\x00"), "key": "ff2f00"}


async def test_node_of_a_key_without_a_value_is_null(served: Served) -> None:
    document = "query($id: ID!) { node(id: $id) { id } }"
    assert await served.data(document, id=served.id_of(b"gone")) == {"node": None}


@pytest.mark.parametrize("identity", ["Z29uZQ==", "Z29uZR", "Z", "é", "a b", "+/"])
async def test_malformed_id_is_a_bad_key(served: Served, identity: str) -> None:
    assert await served.code("query($id: ID!) { node(id: $id) { id } }", id=identity) == "BAD_KEY"


@pytest.mark.parametrize(
    ("encoding", "key"), [("BASE64", "YQ"), ("BASE64", "Y Q="), ("BASE64", "é"), ("HEX", "6"), ("HEX", "0x61")]
)
@pytest.mark.parametrize("field", ["value(key: $key", "values(keys: [$key]", "entries(prefix: $key"])
async def test_key_that_is_not_in_its_encoding_is_a_bad_key(
    served: Served, field: str, encoding: str, key: str
) -> None:
    document = f"query($key: String!) {{ {field}, keyEncoding: {encoding}) {{ __typename }} }}"
    assert await served.code(document, key=key) == "BAD_KEY"
