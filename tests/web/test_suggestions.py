"""Errors name similar names, or do not, on every road by which an error comes and on every transport."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.known_holes.asking import TRANSPORTS, ask
from tests.serving import Served, ServedTopic, serving_topic

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUGGESTION = "Did you mean"


class Services(NamedTuple):
    with_suggestions: Served
    without: Served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Services]:
    def serving(suggestions: bool) -> AbstractAsyncContextManager[ServedTopic]:
        settings: dict[str, Any] = {"suggestions": suggestions, "enable_writes": True}
        return serving_topic(embedded_broker, tmp_path_factory.mktemp("suggestions"), (b"a", b"1"), **settings)

    async with serving(True) as one, serving(False) as other:
        yield Services(one.served, other.served)


FIELDS = {
    "field of a root": ("{ statu { ready } }", "{}"),
    "field": ("{ status { read } }", "{}"),
    "field without a selection": ("{ status }", "{}"),
    "argument": ('{ value(kei: "a") { value } }', "{}"),
    "enum": ('{ value(key: "a", keyEncoding: UTF) { value } }', "{}"),
    "text for an enum": ('{ value(key: "a", keyEncoding: "HEX") { value } }', "{}"),
    "type": ("{ ... on Quer { __typename } }", "{}"),
    "field of an interface": ('{ node(id: "YQ") { value } }', "{}"),
    "name that is too long": ("{ statu%s { ready } status { read } }" % ("s" * 2_000), "{}"),
    "enum in a variable": (
        'query($e: Encoding!) { value(key: "a", keyEncoding: $e) { value } }',
        '{"e": "UTF"}',
    ),
    "enum in a default": ('query($e: Encoding! = UTF) { value(key: "a", keyEncoding: $e) { value } }', "{}"),
    "type of a variable": ('query($e: Encodin!) { value(key: "a", keyEncoding: $e) { value } }', "{}"),
}
MUTATIONS = {
    "field of an input": ('mutation { set(key: "a", value: "b", headers: [{kei: "a"}]) { offset } }', "{}"),
    "field of an input in a variable": (
        'mutation($h: [HeaderInput!]) { set(key: "a", value: "b", headers: $h) { offset } }',
        '{"h": [{"kei": "a", "value": "b"}]}',
    ),
    "enum of an input in a variable": (
        'mutation($h: [HeaderInput!]) { set(key: "a", value: "b", headers: $h) { offset } }',
        '{"h": [{"key": "a", "encoding": "UTF"}]}',
    ),
}
SUBSCRIPTIONS = {
    "subscription": ("subscription { update { kind } }", "{}"),
    "enum of a subscription in a variable": (
        'subscription($e: Encoding!) { updates(keys: ["a"], keyEncoding: $e) { kind } }',
        '{"e": "BASE6"}',
    ),
}
ALL = {**FIELDS, **MUTATIONS, **SUBSCRIPTIONS}


def is_carried(transport: str, name: str) -> bool:
    if name in MUTATIONS:
        return not transport.startswith("get")
    return name in FIELDS or transport not in {"post", "get"}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_suggestions_can_be_switched_off_on_every_transport(services: Services, transport: str) -> None:
    suggested = set()
    for name, (document, variables) in ALL.items():
        if not is_carried(transport, name):
            continue
        found = await ask(services.with_suggestions, transport, document, variables)
        suggested |= {name} if SUGGESTION in found.text else set()
        silent = await ask(services.without, transport, document, variables)
        assert SUGGESTION not in silent.text, name
        assert silent.codes == found.codes != frozenset(), "what is wrong is still told"
    assert suggested == {name for name in ALL if is_carried(transport, name)}, "or else the above shows nothing"
