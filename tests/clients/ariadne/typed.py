"""Generates a client from a file with the graph of typed tables, writes and reads with it, and prints what it gets.

The arguments are the file and the address of the service. The values are Python's, as `codegen.toml` says.
"""

import asyncio
import sys
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.clients.ariadne.generate import generate

HERE = Path(__file__).parent
REMOTE = 'remote_schema_url = "http://127.0.0.1:8000/graphql"'
KEY = 2**53 + 1


async def run(url: str) -> Any:
    """Write an order and a place, and return what is read then."""
    # They exist only now.
    generated: Any = import_module("kvs_client")
    async with generated.Client(url) as client:
        data = generated.OrdersInput(
            id="o-1",
            amount=2**60,
            price=Decimal("12.50"),
            placed=date(2026, 2, 28),
            colour=generated.OrdersColour.GREEN,
            tags=[generated.OrdersTagsEntryInput(key="vip", value=7)],
            payment=generated.OrdersPaymentChoiceInput(card=generated.OrdersCardInput(holder="Ann")),
        )
        where = generated.PlacesKeyInput(region="eu", number=KEY)
        written = (await client.set_order(KEY, data)).orders_set
        placed = (await client.set_place(where, "true")).places_set
        order = (await client.order(KEY, written.cursor)).orders_value
        place = (await client.place(where, placed.cursor)).places_value
        return order.key_data, order.data, place


async def main(url: str) -> None:
    key, order, place = await run(url)
    print(repr([key, order.id, order.amount, order.price, order.placed, order.colour.value, order.tags[0].value]))
    print(repr([order.payment.holder, place.key_data.region, place.key_data.number, place.json_]))


if __name__ == "__main__":
    schema, url = sys.argv[1:]
    with TemporaryDirectory() as directory:
        config = (HERE / "codegen.toml").read_text().replace(REMOTE, f'schema_path = "{schema}"')
        generate(Path(directory), config, (HERE / "typed_queries.graphql").read_text())
        asyncio.run(main(url))
