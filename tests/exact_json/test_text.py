"""JSON texts and their parts: numbers as they were written, at any depth."""

import json
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.exact_json import ExactJson, NotJsonText
from kvs_graphql.exact_json.scan import scan

NUMBERS = [
    *(
        "0",
        "-0",
        "1",
        "-7",
        "9007199254740993",
        "18446744073709551616",
        "963019363229999955968",
        "-9223372036854775809",
    ),
    *("1.0", "1.50", "0.1", "-0.0", "3.14159265358979323846264338327950288", "1e2", "1E-7", "1e400", "-2.5e-999"),
    *("9" * 400, "0." + "1" * 400),
]
_LEAVES = st.sampled_from(
    [*NUMBERS, "null", "true", '"text"', '"\\u00e9 \\ud83d\\ude00"', '"é"', '" a , b "', '"\\\\ud800"']
)


def _lists(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(below, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")


def _objects(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.sampled_from(['"a"', '"b"', '""'])
    members = st.lists(st.tuples(names, below), max_size=3)
    return members.map(lambda pairs: "{\n" + ",\r\n ".join(f"{name}:\t{value}" for name, value in pairs) + "}")


TEXTS = st.recursive(_LEAVES, lambda below: _lists(below) | _objects(below), max_leaves=8)


class Written(str):
    """A number's text."""

    __slots__ = ()


def as_written(text: bytes) -> object:
    return json.loads(text, parse_float=Written, parse_int=Written)


def paths_in(value: object) -> list[list[str]]:
    if isinstance(value, dict):
        return [[], *([name, *path] for name, below in value.items() for path in paths_in(below))]
    if isinstance(value, list):
        return [[], *([str(n), *path] for n, below in enumerate(value) for path in paths_in(below))]
    return [[]]


@given(TEXTS)
def test_each_part_has_its_numbers_as_they_were_written(text: str) -> None:
    exact = ExactJson(text.encode())
    for path in reversed(paths_in(as_written(text.encode()))):
        part = exact.part(path)
        expected = scan(text.encode(), path).text or b""
        assert (None if part is None else as_written(part)) == as_written(expected)
        assert part is None or not set(b"\r\n") & set(part)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", [b"%s", b'{"n":%s}', b'{"n": [%s, 1.5]}', b'\n{"n": {"m":\n%s}}'])
def test_whole_text_and_each_part_are_exact(number: str, around: bytes) -> None:
    text = around % number.encode()
    exact = ExactJson(text)
    assert b"".join((exact.part([]) or b"").split()) == b"".join(text.split())
    for path in paths_in(as_written(text)):
        assert number.encode() in (exact.part(path) or b"") or path == ["n", "1"]


@pytest.mark.parametrize(
    ("path", "found"), [(["a"], b"[1.50]"), (["a", "0"], b"1.50"), (["b"], None), (["a", "1"], None)]
)
def test_part_of_deep_json_is_found(path: Sequence[str], found: bytes | None) -> None:
    for depth in (200, 300, 900, 1_100, 15_000):
        deep = b"[" * depth + b"]" * depth
        exact = ExactJson(b'{"a": [1.50], "deep": ' + deep + b', "b": null}')
        assert exact.part(path) == found
        assert exact.part(["deep"]) == deep
        assert exact.part(["deep", "0"]) == deep[1:-1]
        assert sorted(exact.names()) == ["a", "b", "deep"]
        assert ExactJson(b"\n" + deep).part(["0", "0"]) == deep[2:-2]
        assert ExactJson(b"\n" + deep).part([]) == deep


REFUSED = [
    (b"\xef\xbb\xbf1", "byte order mark"),
    (b'"\\ud800"', "half of a surrogate pair"),
    (b'["\\udc00\\ud800"]', "half of a surrogate pair"),
    (b'"\xed\xa0\x80"', "not UTF-8, at byte 2"),
    (b"[NaN]", "NaN"),
    (b"-Infinity", "-Infinity"),
    (b"", "character 1"),
    (b"text", "character 1"),
    (b"[" * 50_000, "byte 50001"),
    (b"[" * 50_000 + b'"\\ud800"' + b"]" * 50_000, "half of a surrogate pair"),
]
NOT_JSON = [text for text, _ in REFUSED]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_text_that_is_not_json_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(NotJsonText, match=reason):
        ExactJson(text)


def test_escaped_backslash_before_a_surrogate_escape_is_no_surrogate() -> None:
    text = rb'["\\ud800", "\ud83d\ude00", 1e999]'
    assert ExactJson(text).part(["0"]) == orjson.dumps("\\ud800")
