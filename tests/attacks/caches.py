"""Attacks that fill caches: with documents, pointers and renderings that are asked for once."""

from itertools import count

import orjson

from tests.attacks.attack import attack
from tests.attacks.data import CHANGED, SMALL_PREFIX, small_value
from tests.attacks.requests import aliases
from tests.attacks.target import Target, post, post_body

_DOCUMENT_CHARACTERS = 250_000
# One character beyond the plane makes Python keep every character of a text in four bytes.
_EMOJI = "\N{PARTY POPPER}"


@attack()
async def distinct_documents_with_emoji(target: Target) -> None:
    """Documents of 1 MB that differ, with an emoji in each."""
    filling = "x" * (_DOCUMENT_CHARACTERS * 3)

    def request(number: int) -> bytes:
        document = f"{{ status {{ state }} }} # {_EMOJI} {number} {filling}"
        return post_body(orjson.dumps({"query": document}))

    await target.ask(map(request, range(400)), connections=4)


@attack()
async def distinct_documents_at_the_cached_size(target: Target) -> None:
    """Documents that differ, each just short enough to be kept."""
    filling = _EMOJI + "x" * (63 * 1024)
    await target.ask((post(f"{{ status {{ state }} }} # {n} {filling}") for n in count()), connections=4)


@attack()
async def distinct_texts(target: Target) -> None:
    """Documents whose large part is a literal, of which the parts of a compiled operation are made."""
    filling = "x" * 50_000
    documents = (f'{{ value(key: "{n}{_EMOJI}{filling}") {{ id }} }}' for n in count())
    await target.ask(map(post, documents), connections=4)


@attack()
async def distinct_small_documents(target: Target) -> None:
    """Tens of thousands of small documents that differ."""
    documents = (f'query q{n} {{ value(key: "a{n}") {{ id key value }} }}' for n in count())
    await target.ask(map(post, documents), connections=8, full=50_000)


@attack()
async def distinct_compiled_operations(target: Target) -> None:
    """Documents with as many fields and aliases as are allowed, that differ."""
    selection = aliases('json(pointer: "/%")', 99)
    documents = (f"query q{n} {{ values(keys: []) {{ {selection} }} }}" for n in count())
    await target.ask(map(post, documents), connections=4)


@attack(refusal="GRAPHQL_VALIDATION_FAILED")
async def distinct_invalid_documents(target: Target) -> None:
    """Documents with hundreds of errors, that differ."""
    documents = (f"{{ {' '.join(f'no{n}x{i}' for i in range(900))} }}" for n in count())
    await target.ask(map(post, documents), connections=4)


@attack(refusal="BAD_INPUT")
async def distinct_pointers(target: Target) -> None:
    """Pointers of hundreds of kilobytes that differ."""
    document = f'query($p: String!) {{ value(key: "{CHANGED}") {{ json(pointer: $p) }} }}'
    filling = "/a" * 200_000
    await target.ask((post(document, {"p": f"/{n}{filling}"}) for n in count()), connections=4)


@attack()
async def distinct_renderings(target: Target) -> None:
    """Subscriptions that each select something else, to updates that many of them get."""
    number = target.amount(1_000)
    document = f'subscription {{ updates(prefix: "{SMALL_PREFIX}") {{ a%: kind entry {{ id key value }} }} }}'
    sockets = await target.subscribed([(document.replace("%", str(n)), {}) for n in range(number)])
    keys = target.table.small_keys(target.amount(500))
    await target.write((key.encode(), small_value(key)) for key in keys)
    await target.read(sockets)
