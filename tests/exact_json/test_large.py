"""Parts of large JSON texts, compared with those of small ones."""

import json
import re
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.exact_json import ExactJson, LargeJson, NotJsonText, TooDeep, chunks, large, parse, wide
from kvs_graphql.turns import at_once
from tests.exact_json.test_scan import TOKENS
from tests.exact_json.test_text import NOT_JSON, NUMBERS, TEXTS, as_written, paths_in
from tests.stacks import above, heights

LARGE = 2 * large.LARGE_BYTES_MIN
FILL = b'"' + b"x" * LARGE + b'"'


def padded(text: str) -> bytes:
    """The same JSON, large."""
    return b" " * LARGE + text.encode()


def small_pieces(patched: pytest.MonkeyPatch, window_bytes: int, alone: int = 0) -> None:
    """Have even small texts cut into chunks, and all but the first item of a list found by these."""
    patched.setattr(chunks, "WINDOW_BYTES", window_bytes)
    patched.setattr(wide, "MEMBERS_ALONE", alone)
    patched.setattr(wide, "_MADE_AT_ONCE_BYTES_MAX", 0)
    first = msgspec.defstruct("First", [("item", msgspec.Raw, None)], array_like=True)
    patched.setattr(wide, "_FIRST", msgspec.json.Decoder(first))


@pytest.mark.parametrize("alone", [0, 1, wide.MEMBERS_ALONE])
@pytest.mark.parametrize("bytes_min", [0, large.LARGE_BYTES_MIN])
@pytest.mark.parametrize("window_bytes", [1, 7, chunks.WINDOW_BYTES])
@given(text=TEXTS)
def test_each_part_of_a_large_text_is_that_of_a_small_one(
    text: str, bytes_min: int, window_bytes: int, alone: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(large, "LARGE_BYTES_MIN", bytes_min)
        small_pieces(patched, window_bytes, alone)
        small, parsed = ExactJson(text.encode()), parse(padded(text))
        assert isinstance(parsed, LargeJson)
        for path in [*paths_in(as_written(text.encode())), ["absent"], ["0"], ["a", "00"], ["a", "0", "9"]]:
            part, expected = parsed.part(path), small.part(path)
            assert (part is None) == (expected is None)
            assert part is None or as_written(part) == as_written(expected or b"")
            assert part is None or not set(b"\r\n") & set(part)
        assert parsed.names() == small.names()


_PARTS = st.sampled_from(
    [*('"a"', '"],"', '"\\""', '"\\\\"', '""', "1.50", "{ }", "[[[[[[[[1,2]]]]]]]]", '{"a": [",", {"b": 2}], "c": 3}')]
)


@pytest.mark.parametrize("window_bytes", [1, 2, 5, 20])
@given(st.lists(_PARTS, min_size=1, max_size=20), st.sampled_from([",", " ,\n ", ", "]), st.integers(0, 20))
def test_items_are_found_in_any_order_however_the_text_is_cut(
    window_bytes: int, parts: list[str], comma: str, index: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(large, "LARGE_BYTES_MIN", 0)
        small_pieces(patched, window_bytes)
        items = LargeJson(f" [ {comma.join(parts)} ] ".encode())
        members = LargeJson(("{" + comma.join(f'"{n}": {part}' for n, part in enumerate(parts)) + " }").encode())
        for n in [index, *range(len(parts) + 2)]:
            expected = parts[n].encode() if n < len(parts) else None
            assert items.part([str(n)]) == members.part([str(n)]) == expected


WIDE = 1_000_000
FAR: dict[str, tuple[bytes, list[str], bytes | None]] = {
    "objects": (b"[" + b",".join([b"{}"] * (WIDE // 3)) + b"]", [str(WIDE // 3 - 1)], b"{}"),
    "texts": (b"[" + b",".join([b'"\\"x,]"'] * (WIDE // 8)) + b"]", [str(WIDE // 8 - 1)], b'"\\"x,]"'),
    "numbers": (b"[" + b",".join([b"1"] * (WIDE // 2)) + b"]", [str(WIDE // 2 - 1)], b"1"),
    "deep": (
        b"[" + b",".join([b"[" * 50 + b"]" * 50] * (WIDE // 101)) + b"]",
        [str(WIDE // 101 - 1)],
        b"[" * 50 + b"]" * 50,
    ),
    "absent": (b"[" + b",".join([b"[1,2]"] * (WIDE // 6)) + b"]", [str(WIDE)], None),
    "after a large item": (
        b"[" + b"0," * 300 + b"[" + b",".join([b'{"a":"b"}'] * (WIDE // 10)) + b"],7]",
        ["301"],
        b"7",
    ),
    "after a long text": (b"[" + b"0," * 300 + b'"' + b"x\\n," * (WIDE // 4) + b'",7]', ["301"], b"7"),
    "members": (b"{" + b",".join(b'"k%d":{}' % n for n in range(WIDE // 10)) + b"}", [f"k{WIDE // 10 - 1}"], b"{}"),
}


@pytest.mark.parametrize("what", FAR)
def test_what_is_far_away_is_found_in_small_pieces(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    text, path, found = FAR[what]
    monkeypatch.setattr(wide, "MEMBERS_ALONE", 0)
    passed, of_piece = chunks._passed, [0]

    class Decoder:
        def __init__(self, decoder: Any) -> None:
            self._decoder = decoder

        def decode(self, chunk: bytes) -> object:
            of_piece[-1] += len(chunk)
            return self._decoder.decode(chunk)

    def counted(pattern: re.Pattern[bytes], text: bytes, begin: int, end: int) -> int:
        matched = passed(pattern, text, begin, end)
        of_piece[-1] += matched - begin
        return matched

    parsed = parse(text)
    assert isinstance(parsed, LargeJson)
    monkeypatch.setattr(chunks, "_passed", counted)
    monkeypatch.setattr(wide, "_LIST", Decoder(wide._LIST))
    monkeypatch.setattr(wide, "_OBJECT", Decoder(wide._OBJECT))
    search = parsed.search(path)
    with pytest.raises(StopIteration) as end:
        while True:
            next(search)
            of_piece.append(0)
    assert end.value.value == found
    assert max(of_piece) <= 4 * chunks.WINDOW_BYTES
    assert len(of_piece) >= len(text) / chunks.WINDOW_BYTES / 2
    # Once found, it is found at once.
    of_piece[:] = [0]
    assert parsed.part(path) == end.value.value
    assert sum(of_piece) <= 2 * chunks.WINDOW_BYTES


@given(st.lists(TOKENS, max_size=8).map("".join))
def test_large_texts_are_json_where_small_ones_are(text: str) -> None:
    def is_json(raw: bytes) -> bool:
        try:
            parse(raw)
        except NotJsonText:
            return False
        return True

    assert is_json(padded(text)) == is_json(text.encode())


@pytest.mark.parametrize("text", NOT_JSON)
def test_large_text_that_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(NotJsonText):
        parse(b'{"x": ' + FILL + b', "y": ' + text + b"}")


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_in_large_texts_stay_as_they_were_written(number: str) -> None:
    parsed = parse(b'{"x": [' + FILL + b", " + number.encode() + b'], "n": {"m": ' + number.encode() + b"}}")
    assert parsed.part(["x", "1"]) == parsed.part(["n", "m"]) == number.encode()


def test_large_text_is_found_at_any_depth_that_the_stack_has() -> None:
    nested = b"[" * 900 + FILL + b"]" * 900
    for depth in (0, 1, large._LEVELS_MAX, large._LEVELS_MAX + 1, 899):
        assert parse(nested).part(["0"] * depth) == nested[depth : len(nested) - depth]
    assert parse(nested).part(["0"] * 900) == FILL


@pytest.mark.parametrize("is_list", [True, False])
def test_search_for_which_the_stack_is_too_short_says_so_and_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch, is_list: bool
) -> None:
    small_pieces(monkeypatch, chunks.WINDOW_BYTES)
    levels = sys.getrecursionlimit() // 2
    items = [b"0"] * 1_000 + [b"[" * levels + b"]" * levels] * 30 + [b"7"]
    members = [b'"%d":%b' % (number, item) for number, item in enumerate(items)]
    text = b"[" + b",".join(items) + b"]" if is_list else b"{" + b",".join(members) + b"}"
    path = [str(len(items) - 1)]
    for frames in heights(step=30):
        parsed = LargeJson(text)
        begun = parsed.search(path)
        next(begun)
        with suppress(TooDeep):
            assert above(frames, partial(parsed.part, path)) == b"7"
        assert at_once(begun) == parsed.part(path) == b"7"


def test_text_that_is_large_at_each_level_is_passed_over_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = b"[" * 900 + FILL + b"]" * 900
    parsed, passed = large._parsed, list[int]()

    def counted(text: bytes, depth: int) -> object:
        passed.append(len(text))
        return parsed(text, depth)

    monkeypatch.setattr(large, "_parsed", counted)
    assert parse(nested).part(["0"] * 899) == b"[" + FILL + b"]"
    assert sum(passed) <= (large._LEVELS_MAX + 1) * len(nested)


@pytest.mark.parametrize("items", [wide.FIRST_ITEMS - 1, wide.FIRST_ITEMS, wide.FIRST_ITEMS + 1, 50_000])
@pytest.mark.parametrize("form", ["{n}.50", '"{n},"', "[{n}, 2]", '{{"n": ",]", "m": {n}}}', "{n} ", "\n{n}\t"])
def test_each_item_of_a_long_list_is_found(items: int, form: str) -> None:
    written = [form.format(n=n).encode() for n in range(items)]
    parsed = parse(b" [" + b" , ".join(written) + b" " * LARGE + b"] ")
    for index in {0, 1, 255, 256, 257, items // 2, items - 2, items - 1} & set(range(items)):
        assert parsed.part([str(index)]) == written[index].strip()
    assert parsed.part([str(items)]) is None
    assert parsed.part(["-1"]) is None


@pytest.mark.parametrize("items", [[b"1"] * 300 + [b'"a,b"', b"2"], [b'"a,b"'] + [b"1"] * 300, [b"1"] * 300 + [b"{}"]])
def test_one_text_or_object_in_a_list_of_numbers_parts_no_items(items: list[bytes]) -> None:
    parsed = parse(b"[" + b",".join(items) + b" " * LARGE + b"]")
    assert [parsed.part([str(index)]) for index in range(len(items) + 1)] == [*items, None]


NAMES = ["a", "", "a b", 'a"b', "a\\b", "a\nb", "é", "\U0001f600", "a/b", "value", "~", "x" * 300]


@pytest.mark.parametrize("alone", [0, 1, wide.MEMBERS_ALONE, 100])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_each_member_of_a_wide_object_is_found_by_its_name(
    monkeypatch: pytest.MonkeyPatch, alone: int, ascii_only: bool
) -> None:
    monkeypatch.setattr(wide, "MEMBERS_ALONE", alone)
    members = [b"%s: %d" % (json.dumps(name, ensure_ascii=ascii_only).encode(), n) for n, name in enumerate(NAMES)]
    members += [b'"null": null', b'"twice": 1', b'"twice": [2]']
    parsed = parse(b"{" + b", ".join(members) + b" " * LARGE + b"}")
    for n, name in enumerate(NAMES):
        assert parsed.part([name]) == b"%d" % n
    assert parsed.part(["twice"]) == b"[2]"
    assert parsed.part(["null"]) is parsed.part(["absent"]) is parsed.part(["\ud800"]) is None
    assert parsed.names() == [*NAMES, "null", "twice"]


def test_members_that_are_asked_for_first_are_found_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = list[bytes]()

    class Counting:
        def decode(self, text: bytes) -> dict[str, msgspec.Raw]:
            decoded.append(text)
            return msgspec.json.decode(text, type=dict[str, msgspec.Raw])

    monkeypatch.setattr(wide, "_OBJECT", Counting())
    text = b"{" + b", ".join(b'"k%d": %d' % (n, n) for n in range(20_000)) + b"}"
    parsed = parse(text)
    for n in range(wide.MEMBERS_ALONE):
        assert parsed.part([f"k{n}"]) == parsed.part([f"k{n}"]) == b"%d" % n
    assert not decoded
    for n in range(wide.MEMBERS_ALONE, 100):
        assert parsed.part([f"k{n}"]) == b"%d" % n
    assert len(b"".join(decoded)) <= 1.01 * len(text)


def test_names_of_large_members_are_found_by_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = list[int]()
    monkeypatch.setattr(chunks, "_passed", lambda *_: cut.append(1))
    parsed = parse(b'{"a": [' + FILL + b'], "b": ' + FILL + b', "c": 1}')
    assert parsed.names() == ["a", "b", "c"]
    assert not cut


def test_deep_text_is_refused_where_it_is_large() -> None:
    depth = large.LARGE_BYTES_MIN // 2
    assert parse(b"[" * (depth - 1) + b"]" * (depth - 1)).part([])
    with pytest.raises(TooDeep):
        parse(b"[" * depth + b"]" * depth)
