"""Each table of a service has its own fields and types, and whatever they show is of that table."""

import asyncio
from contextlib import aclosing

from kvs_graphql.client import connect
from kvs_graphql.cursor import decode_cursor
from tests.deadline import SECONDS_MAX
from tests.named import id_of
from tests.serving import Served
from tests.tables.served import TABLES, put, value


async def test_each_table_has_its_own_fields_types_and_records(served: Served) -> None:
    for table, text in zip(TABLES, ("1", "2"), strict=True):
        await put(served, table, "a", text)
    document = """query($orders: Cursor, $items: Cursor) {
      ordersValue(key: "a", atLeast: $orders) { __typename id value }
      orderItemsValues(keys: ["a", "b"], atLeast: $items) { __typename id value }
      ordersEntries(first: 5) { totalCount edges { node { key ... on AnyEntry { value history { value } } } } }
    }"""
    orders, items = [await put(served, table, "b", "3") for table in TABLES]
    answer = await served.query(document, orders=orders, items=items)
    assert answer["data"] == {
        "ordersValue": {"__typename": "OrdersEntry", "id": "b3JkZXJzAGE", "value": "1"},
        "orderItemsValues": [
            {"__typename": "OrderItemsEntry", "id": "b3JkZXJJdGVtcwBh", "value": "2"},
            {"__typename": "OrderItemsEntry", "id": "b3JkZXJJdGVtcwBi", "value": "3"},
        ],
        "ordersEntries": {
            "totalCount": 2,
            "edges": [
                {"node": {"key": "a", "value": "1", "history": [{"value": "1"}]}},
                {"node": {"key": "b", "value": "3", "history": [{"value": "3"}]}},
            ],
        },
    }
    token = answer["extensions"]["cursor"]
    assert [decode_cursor(token, table).positions for table in TABLES] == [(2,), (2,)]


async def test_every_field_shows_the_records_of_its_own_table(served: Served) -> None:
    """Each table has the same key at the same offset, with other values."""
    for table in TABLES:
        cursors = [await put(served, table, "a", f"{table} {number}") for number in (1, 2)]
        await served.applied(decode_cursor(cursors[-1], table).positions, table)
    shown = "key value history { value }"
    for table in TABLES:
        past, node_id = [{"value": f"{table} 1"}, {"value": f"{table} 2"}], id_of(b"a", table)
        before = {"key": "a", "value": f"{table} 2", "history": past}
        fields = f"""query($id: ID!) {{
          value: {table}Value(key: "a") {{ id {shown} }}
          values: {table}Values(keys: ["a"]) {{ {shown} }}
          entries: {table}Entries(first: 1) {{ edges {{ node {{ {shown} }} }} }}
          node(id: $id) {{ ... on AnyEntry {{ {shown} }} }}
        }}"""
        assert await served.data(fields, id=node_id) == {
            "value": {"id": node_id, **before},
            "values": [before],
            "entries": {"edges": [{"node": before}]},
            "node": before,
        }
        now = {"key": "a", "value": f"{table} 3", "history": [*past, {"value": f"{table} 3"}]}
        write = f'mutation {{ w: {table}Set(key: "a", value: "{table} 3") {{ entry {{ {shown} }} }} }}'
        assert await served.data(write) == {"w": {"entry": now}}
        async with connect(served.run.url) as client, asyncio.timeout(SECONDS_MAX):
            for field, event in (
                (f'{table}Updates(keys: ["a"], snapshot: true) {{ entry {{ {shown} }} }}', {"entry": now}),
                (f'{table}Value(key: "a") {{ {shown} }}', now),
                (f'{table}Values(keys: ["a"]) {{ {shown} }}', [now]),
            ):
                async with aclosing(client.subscribe(f"subscription {{ found: {field} }}")) as events:
                    assert await anext(events) == {"found": event}
    last = TABLES[-1]
    gone = (await served.data(f'mutation {{ w: {last}Delete(key: "a") {{ cursor }} }}'))["w"]["cursor"]
    assert await value(served, last, "a", gone) is None
    assert await value(served, TABLES[0], "a") == f"{TABLES[0]} 3"


async def test_node_is_of_the_table_that_its_id_names(served: Served) -> None:
    cursor = await put(served, "orderItems", "a", "1")
    await served.data('query($at: Cursor) { orderItemsValue(key: "a", atLeast: $at) { id } }', at=cursor)
    document = "query($id: ID!) { node(id: $id) { __typename id ... on AnyEntry { key value } } }"
    found = await served.data(document, id="b3JkZXJJdGVtcwBh")
    assert found["node"] == {"__typename": "OrderItemsEntry", "id": "b3JkZXJJdGVtcwBh", "key": "a", "value": "1"}
    assert await served.data(document, id="b3JkZXJzAGE") == {"node": None}
    # No table, a table that there is not, and the name of a table without a key.
    for unknown in ("YQ", "cGFnZXMAYQ", "b3JkZXJz"):
        assert await served.code(document, id=unknown) == "BAD_KEY"
