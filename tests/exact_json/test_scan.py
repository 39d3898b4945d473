"""Scans of JSON text, compared with the standard library's decoder and orjson."""

import json
from typing import NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvs_graphql.exact_json.scan import NotJsonText, scan

pytestmark = pytest.mark.slow

TOKENS = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        " ",
        "\n",
        '"a"',
        '"\\n"',
        '"\\x"',
        '"',
        "1",
        "-0",
        "01",
        "1.",
        "2.5e-7",
        "null",
        "NaN",
    ]
)
_SPACES = st.sampled_from(["", " ", "\n\t", " \r\n"])


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _accepts(text: str) -> bool:
    try:
        scan(text.encode())
    except NotJsonText:
        return False
    return True


@given(st.lists(TOKENS, max_size=8).map("".join))
@example('{"a":1,"a"}')
@example('["a":1]')
@example('{"a":1]')
@example("[1,]")
@example("[] []")
@example("")
def test_scan_accepts_what_is_json_and_nothing_else(text: str) -> None:
    assert _accepts(text) == _is_json(text)


@st.composite
def _nested(draw: st.DrawFn) -> tuple[str, list[tuple[list[str], str]]]:
    """Draw a text, and the path and text of each value in it."""
    kind = draw(st.sampled_from(["leaf", "leaf", "list", "object"]))
    if kind == "leaf":
        leaf = draw(st.sampled_from(["0", "-0", "1.50", "1E400", '"s, ]}"', '"\\""', "true", "[]", "{ }", "null"]))
        return leaf, [([], leaf)]
    below = draw(st.lists(_nested(), min_size=1, max_size=3))
    names = draw(st.lists(st.sampled_from(["a", "", "/", "0", 'q"', "é"]), min_size=3, max_size=3, unique=True))
    space = draw(_SPACES)
    parts, found = [], []
    for index, (text, values) in enumerate(below):
        is_named = kind == "object"
        token = names[index] if is_named else str(index)
        parts.append(space + (json.dumps(token) + space + ":" + space if is_named else "") + text + space)
        found += [([token, *path], value) for path, value in values]
    text = "[{"[kind == "object"] + ",".join(parts) + "]}"[kind == "object"]
    return text, [([], text), *found]


@given(_nested(), _SPACES)
def test_value_at_each_path_is_the_text_as_written(nested: tuple[str, list[tuple[list[str], str]]], space: str) -> None:
    text, values = nested
    whole = (space + text + space).encode()
    for path, value in values:
        assert scan(whole, path).text == value.encode()
        assert scan(whole, [*path, "nowhere"]).text is None


def test_last_of_several_members_with_one_name_counts() -> None:
    text = b'{"a":{"b":1},"c":0,"a":{"b":[2]}}'
    assert scan(text, ["a", "b"]).text == b"[2]"
    assert scan(text).names == ["a", "c", "a"]
    assert scan(b'{"a":{"b":1},"a":{}}', ["a", "b"]).text is None


@pytest.mark.parametrize(("index", "found"), [("1", b"2"), ("2", b"[3]"), ("3", None), ("01", None), ("-", None)])
def test_index_of_a_list(index: str, found: bytes | None) -> None:
    assert scan(b"[1, 2, [3]]", [index]).text == found


def test_any_depth_is_scanned() -> None:
    depth = 100_000
    text = b'[{"a":' * depth + b"1.50" + b"}]" * depth
    assert scan(text, ["0", "a"] * depth).text == b"1.50"
    with pytest.raises(NotJsonText, match=f"byte {len(text)}"):
        scan(text[:-1] + b"}")
