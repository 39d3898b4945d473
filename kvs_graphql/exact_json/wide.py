"""Members and items of large JSON texts, of which a megabyte can hold half a million.

To make an object of each takes up to a twentieth of a second, and cannot be cut into turns of the event loop. Here, as
far as msgspec can pass over the others, only those are made that are asked for: any member can be found without the
others, the first items of a list can, and with a list of numbers any.
"""

import re
from bisect import bisect_left
from itertools import accumulate
from typing import cast

import msgspec

FIRST_ITEMS = 256
_FIRST = msgspec.json.Decoder(
    msgspec.defstruct("_First", [(f"item_{n}", msgspec.Raw, None) for n in range(FIRST_ITEMS)], array_like=True)
)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Each costs a pass over the text; for the next one, all members are made at once.
MEMBERS_ALONE = 8
# Other names cannot be those of a struct's fields.
_NAME_ALONE = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]{1,256}')
_BLOCK_BYTES = 4_096


class Members:
    """The members of an object. Of those with one name, the last one counts."""

    __slots__ = ("_found", "_is_complete", "_text")

    def __init__(self, text: bytes) -> None:
        """Take the text of an object, which is JSON."""
        self._text = text
        self._found: dict[str, msgspec.Raw | None] = {}
        self._is_complete = False

    def get(self, name: str) -> bytes | None:
        """The text of a member; None without one."""
        if not self._is_complete and name not in self._found:
            if len(self._found) < MEMBERS_ALONE and _NAME_ALONE.fullmatch(name):
                self._found[name] = self._alone(name)
            else:
                self._complete()
        raw = self._found.get(name)
        return None if raw is None else bytes(raw)

    def names(self) -> list[str]:
        """The names of all members."""
        if not self._is_complete:
            self._complete()
        return list(self._found)

    def _alone(self, name: str) -> msgspec.Raw | None:
        holder = msgspec.defstruct("_Holder", [("value", msgspec.Raw, None)], rename={"value": name})
        (found,) = msgspec.structs.astuple(msgspec.json.decode(self._text, type=holder))
        return cast("msgspec.Raw | None", found)

    def _complete(self) -> None:
        self._found = dict(_OBJECT.decode(self._text))
        self._is_complete = True


class Items:
    """The items of a list."""

    __slots__ = ("_all", "_first", "_text")

    def __init__(self, text: bytes) -> None:
        """Take the text of a list, which is JSON."""
        self._text = text
        first = msgspec.structs.astuple(_FIRST.decode(text))
        self._first = [item for item in first if item is not None]
        self._all: list[msgspec.Raw] | _Flat | None = None

    def get(self, index: int) -> bytes | None:
        """The text of an item; None beyond the last one."""
        if index < len(self._first):
            return bytes(self._first[index])
        if len(self._first) < FIRST_ITEMS:
            return None
        if self._all is None:
            self._all = _LIST.decode(self._text) if _is_nested(self._text) else _Flat(self._text)
        return bytes(self._all[index]) if index < len(self._all) else None


def _is_nested(text: bytes) -> bool:
    """Whether a list has anything but numbers, booleans and nulls."""
    begin = text.index(b"[") + 1
    return any(text.find(mark, begin) >= 0 for mark in (b"[", b"{", b'"'))


class _Flat:
    """The items of a list in whose text each comma parts two of them."""

    __slots__ = ("_commas", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text[text.index(b"[") + 1 : text.rindex(b"]")]
        ends = range(0, len(self._text), _BLOCK_BYTES)
        counted = (self._text.count(b",", begin, begin + _BLOCK_BYTES) for begin in ends)
        # How many commas lie before each block, and before the end.
        self._commas = list(accumulate(counted, initial=0))

    def __len__(self) -> int:
        return self._commas[-1] + 1

    def __getitem__(self, index: int) -> bytes:
        begin = self._after_comma(index)
        end = self._text.find(b",", begin)
        return self._text[begin : None if end < 0 else end].strip()

    def _after_comma(self, number: int) -> int:
        """Where the text goes on after so many commas."""
        block = max(bisect_left(self._commas, number) - 1, 0)
        position = block * _BLOCK_BYTES
        for _ in range(number - self._commas[block]):
            position = self._text.index(b",", position) + 1
        return position
