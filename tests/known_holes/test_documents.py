"""Documents that cost other servers their processor, their stack or their limits, on every transport."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.known_holes.asking import TRANSPORTS, ask, is_well
from tests.serving import Served, serving_topic

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.parametrize("transport", TRANSPORTS),
]

INVALID, UNPARSED, OVER = {"GRAPHQL_VALIDATION_FAILED"}, {"GRAPHQL_PARSE_FAILED"}, {"LIMIT_EXCEEDED"}
LEAST: dict[str, Any] = {
    "query_depth_max": 2,
    "query_aliases_max": 0,
    "query_tokens_max": 60,
    "document_bytes_max": 400,
    "query_cost_max": 4,
}


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def limited(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The service with the least of what a document may have."""
    directory = tmp_path_factory.mktemp("limited")
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), enable_writes=True, **LEAST) as topic:
        yield topic.served


def operations(transport: str) -> dict[str, str]:
    """An operation of each type that the transport carries, with `%s` among the fields of an entry."""
    found = {"query": '{ value(key: "a") { %s } }'}
    if not transport.startswith("get"):
        found["mutation"] = 'mutation { delete(key: "b") { entry { %s } } }'
    if transport not in {"post", "get"}:
        found["subscription"] = 'subscription { value(key: "a") { %s } }'
    return found


@pytest.mark.parametrize(
    "fragments",
    [
        "fragment A on Query { ...A }",
        "fragment A on Query { ...B } fragment B on Query { ...A }",
        'fragment A on Query { value(key: "a") { ...E } } fragment E on Entry { key ...E }',
        "fragment A on Query { ...B ...B } fragment B on Query { ...C ...C } fragment C on Query { ...A ...B }",
    ],
)
async def test_fragments_in_a_circle_are_refused(served: Served, transport: str, fragments: str) -> None:
    found = await ask(served, transport, f"{{ ...A }} {fragments}")
    assert found.codes == INVALID
    assert "Cannot spread fragment" in found.text
    assert await is_well(served)


async def test_aliases_in_a_fragment_count_each_time_it_is_spread(served: Served, transport: str) -> None:
    names = " ".join(f"a{number}: key" for number in range(20))
    for kind, operation in operations(transport).items():
        spreads = operation % ("...F " * 6)
        found = await ask(served, transport, f"{spreads} fragment F on Entry {{ {names} }}")
        assert found.codes == INVALID, kind
        assert "120 aliases; the limit is 100" in found.text, kind


@pytest.mark.parametrize(
    ("selected", "codes"),
    [
        ("history { headers { key } }", INVALID),
        ("... { history { ... { headers { key } } } }", INVALID),
        ("name: key", INVALID),
        ("key " * 61, UNPARSED),
        ("key #" + "x" * 400, OVER),
        ("key value size partition offset timestamp", OVER),
    ],
    ids=["depth", "depth in a fragment", "aliases", "tokens", "bytes", "cost"],
)
async def test_limits_of_documents_hold_on_every_transport(
    limited: Served, transport: str, selected: str, codes: set[str]
) -> None:
    for kind, operation in operations(transport).items():
        found = await ask(limited, transport, operation % selected)
        assert found.codes == codes, (kind, found.text)


NESTED = {
    "selections": "{ value %s }" % ("{ value " * 990 + "}" * 990),
    "lists": "{ values(keys: %s) { id } }" % ("[" * 990 + "]" * 990),
    "objects": "{ values(keys: %s) { id } }" % ("{a: " * 600 + "1" + "}" * 600),
    "types": "query($a: %s) { __typename }" % ("[" * 990 + "Int" + "]" * 990),
    "defaults": "query($a: [Int] = %s) { __typename }" % ("[" * 990 + "]" * 990),
    "directives": "{ __typename @skip(if: %s) }" % ("[" * 990 + "]" * 990),
    "fragments": "{ " + "... { " * 600 + "__typename" + " }" * 601,
    "spreads": " ".join(
        [
            "{ ...F0 }",
            *(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(240)),
            "fragment F240 on Query { __typename }",
        ]
    ),
}
"""As deep as the limit of tokens allows."""
DEEPER = {
    "selections, far beyond it": "{ value " * 6_000,
    "lists, far beyond it": "{ values(keys: " + "[" * 20_000,
    "objects, far beyond it": "{ values(keys: " + "{a: " * 7_000,
    "types, far beyond it": "query($a: " + "[" * 20_000,
}


@pytest.mark.parametrize("name", [*NESTED, *DEEPER])
async def test_nesting_ends_no_stack(served: Served, transport: str, name: str) -> None:
    found = await ask(served, transport, NESTED.get(name) or DEEPER[name])
    assert found.codes <= INVALID | UNPARSED, found.text
    assert found.codes or name in {"fragments", "spreads"}
    assert await is_well(served)


@pytest.mark.parametrize("depth", [900, 5_000])
async def test_nested_values_of_variables_end_no_stack(served: Served, transport: str, depth: int) -> None:
    document = "query($keys: [String!]!) { values(keys: $keys) { id } }"
    found = await ask(served, transport, document, f'{{"keys": {"[" * depth}{"]" * depth}}}')
    assert found.codes == {"BAD_INPUT"} or found.text == "closed with 4400"
    assert await is_well(served)


def within_fragments(outer: int, inner: int) -> str:
    return '{ value(key: "a") { %s } }' % ("... { %s } " % ("... { key } " * inner) * outer)


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        ("{ %s }" % ("__typename " * 1_900), INVALID),
        (within_fragments(18, 20), set[str]()),
        ("{ %s }" % ("__typename " * 3_000), UNPARSED),
        (within_fragments(150, 20), UNPARSED),
    ],
    ids=["as many fields as tokens allow", "in fragments as tokens allow", "more fields", "more in fragments"],
)
async def test_fields_to_be_merged_are_few_or_refused(
    served: Served, transport: str, document: str, codes: set[str]
) -> None:
    found = await ask(served, transport, document)
    assert found.codes == codes, found.text
    assert await is_well(served)


def doubled(levels: int, last: str) -> str:
    """Fragments of which each spreads the next one twice."""
    return " ".join(
        [
            *(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)),
            last.replace("LAST", f"F{levels}"),
        ]
    )


@pytest.mark.parametrize(
    ("last", "codes"),
    [
        ("fragment LAST on Query { __typename }", set[str]()),
        ("fragment LAST on Query { name: __typename }", INVALID),
        ("fragment LAST on Query { entries(first: 1000) { edges { node { key } } } }", set[str]()),
    ],
    ids=["fields", "aliases", "pages"],
)
async def test_fragments_that_are_used_again_and_again_are_looked_at_once(
    served: Served, transport: str, last: str, codes: set[str]
) -> None:
    found = await ask(served, transport, f"{{ ...F0 }} {doubled(100, last)}")
    assert found.codes == codes, found.text
    assert await is_well(served)
