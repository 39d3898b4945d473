"""Attacks by what requests ask for: products of limits, large answers, long validation, many errors."""

import zlib
from base64 import urlsafe_b64encode
from itertools import count, repeat
from random import Random

from tests.attacks.attack import attack
from tests.attacks.data import BIG_PREFIX, CHANGED, CHANGED_BIG, SMALL_PREFIX
from tests.attacks.target import Target, post, post_body

_VALUES = "query($keys: [String!]!) { values(keys: $keys) { %s } }"
_BODY_BYTES = 1_000_000


def aliases(field: str, number: int) -> str:
    """Return a selection with the field under many names; `%` in it is the number."""
    return " ".join(f"a{name}: {field.replace('%', str(name))}" for name in range(number))


@attack(refusal="LIMIT_EXCEEDED")
async def history_of_many(target: Target) -> None:
    """A thousand changes of one key, named a thousand times."""
    keys = [CHANGED] * target.amount(1_000)
    await target.ask(repeat(post(_VALUES % "history(last: 1000) { kind offset }", {"keys": keys})), connections=2)


@attack()
async def history_aliases(target: Target) -> None:
    """A thousand changes of one key under many names."""
    document = f'{{ value(key: "{CHANGED}") {{ {aliases("history(last: 1000) { kind }", 90)} }} }}'
    await target.ask(repeat(post(document)), connections=2)


@attack(refusal="LIMIT_EXCEEDED")
async def big_history(target: Target) -> None:
    """Changes of 900 KB each, under many names."""
    document = f'{{ value(key: "{CHANGED_BIG}") {{ {aliases("history { value }", 20)} }} }}'
    await target.ask(repeat(post(document)), connections=4)


@attack()
async def json_aliases(target: Target) -> None:
    """A large value, named as often as a field may read it, with a hundred pointers into each."""
    document = _VALUES % aliases('json(pointer: "/%")', 100)
    keys = target.table.big_keys(1) * target.amount(18)
    await target.ask(repeat(post(document, {"keys": keys})), connections=2)


@attack(refusal="LIMIT_EXCEEDED")
async def json_of_many(target: Target) -> None:
    """Several large values, parsed and encoded whole."""
    keys = target.table.big_keys(15)
    await target.ask(repeat(post(_VALUES % "json", {"keys": keys})), connections=4)


@attack(refusal="LIMIT_EXCEEDED")
async def one_value_a_thousand_times(target: Target) -> None:
    """An answer of 900 MB, of one value."""
    keys = target.table.big_keys(1) * 1_000
    await target.ask(repeat(post(_VALUES % "value", {"keys": keys})), connections=2)


@attack(refusal="LIMIT_EXCEEDED")
async def many_big_values(target: Target) -> None:
    """All large values at once: more bytes than one field may read."""
    keys = target.table.big_keys(target.table.big)
    await target.ask(repeat(post(_VALUES % "value", {"keys": keys})), connections=8)


@attack()
async def big_pages(target: Target) -> None:
    """Pages of 400 values of 900 KB."""
    document = f'{{ entries(prefix: "{BIG_PREFIX}", first: 400) {{ edges {{ node {{ value }} }} }} }}'
    await target.ask(repeat(post(document)), connections=4)


@attack(refusal="LIMIT_EXCEEDED")
async def big_page_aliases(target: Target) -> None:
    """Many such pages in one request."""
    page = f'entries(prefix: "{BIG_PREFIX}", first: 400) {{ edges {{ node {{ value }} }} }}'
    await target.ask(repeat(post(f"{{ {aliases(page, target.amount(90))} }}")), connections=2)


@attack()
async def wide_pages(target: Target) -> None:
    """Pages of a thousand entries, with every field under many names."""
    fields = "id key value size partition offset timestamp headers { key value }"
    document = f"{{ entries(first: 1000) {{ edges {{ node {{ {fields} {aliases('key', 90)} }} }} }} }}"
    await target.ask(repeat(post(document)), connections=2)


@attack(refusal="LIMIT_EXCEEDED")
async def page_aliases(target: Target) -> None:
    """A hundred pages of a thousand entries in one request."""
    document = f"{{ {aliases('entries(first: 1000) { edges { node { id key value } } }', target.amount(100))} }}"
    await target.ask(repeat(post(document)), connections=2)


@attack()
async def count_aliases(target: Target) -> None:
    """As many counts of all entries as one request can have."""
    document = f"{{ {aliases('entries(first: 0) { totalCount }', target.amount(90))} }}"
    await target.ask(repeat(post(document)), connections=2)


@attack(refusal="LIMIT_EXCEEDED")
async def many_errors(target: Target) -> None:
    """A thousand entries that are not JSON, each asked for JSON under many names."""
    page = f'entries(prefix: "{SMALL_PREFIX}", first: 1000)'
    document = f"{{ {page} {{ edges {{ node {{ {aliases('json', target.amount(90))} }} }} }} }}"
    await target.ask(repeat(post(document)), connections=2)


@attack()
async def overlapping_fields(target: Target) -> None:
    """The same field a thousand times: validation compares each with each."""
    documents = (post(f'{{ value(key: "k{n}") {{ {"key " * 1_900} }} }}') for n in count())
    await target.ask(documents, connections=2)


@attack()
async def overlapping_fragments(target: Target) -> None:
    """Fragments that spread each other, whose fields validation compares pair by pair."""

    def document(number: int) -> str:
        parts = [f"fragment f{i} on Entry {{ id key ...f{i + 1} ...f{i + 2} }}" for i in range(150)]
        ends = "fragment f150 on Entry { id } fragment f151 on Entry { key }"
        return f'{{ value(key: "k{number}") {{ ...f0 ...f1 }} }} {" ".join(parts)} {ends}'

    await target.ask((post(document(n)) for n in count()), connections=2)


@attack()
async def unknown_fields(target: Target) -> None:
    """Names close to many known ones, for each of which validation looks for suggestions."""
    documents = (post(f"{{ {' '.join(f'entriez{n}x{i}' for i in range(900))} }}") for n in count())
    await target.ask(documents, connections=2)


@attack(refusal="GRAPHQL_PARSE_FAILED")
async def deep_selections(target: Target) -> None:
    """Selections, lists and objects as deep as a document may be long."""
    depth = 660
    documents = ("{a" * depth + "}" * depth, f"{{ values(keys: {'[' * 900}{']' * 900}) {{ id }} }}", "{" * 200_000)
    await target.ask((post(documents[n % 3] + f" #{n}") for n in count()), connections=4)


@attack(refusal="BAD_INPUT")
async def deep_variables(target: Target) -> None:
    """JSON as deep as a body may be long."""
    bodies = [b'{"query":"{status{state}}","variables":{"a":' + part * 300_000 for part in (b"[", b'{"a":')]
    await target.ask((post_body(body[:_BODY_BYTES]) for _ in range(1_000) for body in bodies), connections=4)


@attack(refusal="LIMIT_EXCEEDED")
async def huge_variables(target: Target) -> None:
    """As many keys as a body can name."""
    keys = [f"{number:x}" for number in range(110_000)]
    await target.ask(repeat(post(_VALUES % "id", {"keys": keys})), connections=4)


@attack()
async def long_keys(target: Target) -> None:
    """As many bytes of keys as a body can hold, in ever another number of keys: each number is another statement."""
    numbers = (16 + number % 900 for number in count())
    await target.ask(
        (post(_VALUES % "id", {"keys": [f"{key:0{900_000 // n}}" for key in range(n)]}) for n in numbers), connections=4
    )


@attack()
async def wrong_variables(target: Target) -> None:
    """As many wrong elements of one variable as a body can hold: coercion makes an error of each."""
    await target.ask(repeat(post(_VALUES % "id", {"keys": [[]] * target.amount(300_000)})), connections=2)


@attack()
async def long_numbers(target: Target) -> None:
    """Numbers of hundreds of thousands of digits, in documents and in variables."""
    digits = "9" * 900_000
    literal = f"{{ entries(first: {digits}) {{ pageInfo {{ hasNextPage }} }} }}"
    requests = (post(literal), post_body(b'{"query":"{status{state}}","variables":{"a":%s}}' % digits.encode()))
    await target.ask((requests[n % 2] for n in count()), connections=4)


@attack(refusal="BAD_CURSOR")
async def long_cursors(target: Target) -> None:
    """Cursors of 780 KB, and of the most bytes that are allowed, with a valid checksum."""
    document = 'query($at: Cursor) { value(key: "a", atLeast: $at, maxWait: 0) { id } }'
    tokens = [_token(b"\xff" * 585_000), _token(b"\xff" * 48_000), _token(b"\xff\x7f" + b"\x01" * 47_000)]
    await target.ask((post(document, {"at": tokens[n % 3]}) for n in count()), connections=4)


@attack(refusal="BAD_KEY")
async def long_page_cursors(target: Target) -> None:
    """Page cursors, prefixes, ids and keys of 900 KB."""
    text = "A" * 900_000
    fields = ("entries(after: $a) { pageInfo { hasNextPage } }", "entries(prefix: $a) { pageInfo { hasNextPage } }")
    documents = [f"query($a: String!) {{ {field} }}" for field in (*fields, "value(key: $a) { id }")]
    documents.append("query($a: ID!) { node(id: $a) { id } }")
    await target.ask((post(documents[n % 4], {"a": text}) for n in count()), connections=4)


@attack(refusal="GRAPHQL_VALIDATION_FAILED")
async def introspection_depth(target: Target) -> None:
    """The fields of the types of the fields of the types, and so on."""
    wrapped = "...t% ofType { ...t% ofType { ...t% ofType { ...t% } } }"
    levels = [
        f"fragment t{n + 1} on __Type {{ fields {{ type {{ {wrapped.replace('%', str(n))} }} }} }}" for n in range(6)
    ]
    fragments = " ".join(["fragment t0 on __Type { name }", *levels])
    documents = (f"query q{n} {{ __schema {{ types {{ ...t6 }} }} }} {fragments}" for n in count())
    await target.ask(map(post, documents), connections=2)


@attack()
async def introspection_aliases(target: Target) -> None:
    """The whole schema, under many names."""
    schema = "__schema { types { name description fields { name description args { name description } } } }"
    await target.ask((post(f"query q{n} {{ {aliases(schema, 90)} }}") for n in count()), connections=2)


@attack()
async def waiting_reads(target: Target) -> None:
    """Thousands of reads that wait for a cursor that never comes."""
    document = 'query($at: Cursor) { value(key: "a", atLeast: $at, maxWait: 30) { id } }'
    request = post(document, {"at": _token(b"\x04" + b"\xff\xff\x7f" * 4)})

    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(request)
        await wire.answer()

    await target.together(one, 2_000, at_once=2_000)


@attack()
async def many_readers(target: Target) -> None:
    """Sixty-four clients that each read a thousand keys, over and over."""
    random = Random(1)
    last = target.table.small - 1_000
    some = [target.table.small_keys(1_000, random.randint(0, last)) for _ in range(8)]
    requests = [post(_VALUES % "id key value", {"keys": keys}) for keys in some]
    await target.ask((requests[n % 8] for n in count()), connections=target.amount(64))


def _token(numbers: bytes) -> str:
    """Return the token of a cursor with these bytes for its numbers, and no topic id."""
    body = b"\x01" + bytes(16) + numbers
    return urlsafe_b64encode(body + zlib.crc32(body).to_bytes(4, "big")).rstrip(b"=").decode()
