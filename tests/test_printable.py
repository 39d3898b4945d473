"""Text that a terminal and a log get: no character of it does anything, and JSON keeps every value."""

import json
from unicodedata import category

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.printable import printable, printable_json, printable_lines

JOINERS = {"\u200c", "\u200d"}
# Hypothesis draws few of them by itself.
CONTROLS = "".join(
    (
        *map(chr, range(0x20)),
        *map(chr, range(0x7F, 0xA0)),
        "\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\U000e0041",
        "\ud800\udc80\udfff",
    )
)
TEXT = st.text(st.one_of(st.sampled_from(CONTROLS), st.characters(codec=None)))


def unsafe(text: str) -> set[str]:
    """The characters in it that a terminal may obey, that end a line, or that cannot be encoded."""
    return {c for c in text if category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in JOINERS}


@given(TEXT)
def test_nothing_in_printable_text_does_anything(text: str) -> None:
    assert unsafe(printable(text)) == set()
    assert unsafe(printable_lines(text)) <= {"\n"}


@given(TEXT)
def test_printable_text_is_printed_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    safe = "".join(c for c in text if not unsafe(c))
    assert printable(safe) == safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("\x9b\x7f", r"\x9b\x7f"),
        ("user\u202egnp.exe\u2069", r"user\u202egnp.exe\u2069"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        *[
            (word, word)
            for word in ("żółw 日本 שלום", "👨\u200d👩\u200d👧", "\u0645\u06cc\u200c\u062e", "5\u00a0%", r"C:\new")
        ],
    ],
)
def test_control_characters_show_as_escapes_and_words_of_all_scripts_as_they_are(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(TEXT, TEXT)
def test_json_is_one_printable_line_of_the_exact_value(key: str, value: str) -> None:
    for line in (printable_json({key: [value]}), printable_json({key: [value]}, only_ascii=True)):
        assert unsafe(line) == set()
        read = orjson.loads(line)
        assert json.loads(line) == read
        # No parser agrees with another one about lone surrogates.
        assert read == {_without_surrogates(key): [_without_surrogates(value)]}


@given(TEXT)
def test_json_in_ascii_has_no_other_characters(text: str) -> None:
    assert printable_json(text, only_ascii=True).isascii()


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
