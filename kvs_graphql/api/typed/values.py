"""The keys or values of a table with a schema: each decoded once for all that ask for it one after the other."""

from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from operator import attrgetter
from time import thread_time
from typing import Any

from kvs_graphql.api.json_values import check_size
from kvs_graphql.formats import SchemaFormat
from kvs_graphql.records import Record
from kvs_graphql.turns import Aside, InTurns

_SHORT_BYTES_MAX = 512
_CONVERTED_AT_ONCE_BYTES_MAX = 8_192
_AT_ONCE_SECONDS = 0.005
"""How long others wait for the beginning of a larger one, before it is decoded aside."""


class TypedValues:
    """Decodes the values of one table, or its keys, as one generation of its schema has them."""

    def __init__(self, form: SchemaFormat, bytes_max: int, *, of_keys: bool = False) -> None:
        """Up to that many bytes are decoded."""
        self._format = form
        self._bytes_max = bytes_max
        self._what = "key" if of_keys else "value"
        self._raw_of: Callable[[Record], bytes | None] = attrgetter(self._what)
        self._last: tuple[Record | None, Any] = (None, None)
        self._last_takes_long = False
        self._late: Record | None = None
        """The last one that took too long to be decoded at once."""

    def shown(self, record: Record, convert: Callable[[Any], Any] | None) -> Any:
        """What `convert` makes of the decoded value of a record; None where it has none. Raises as `data` does."""
        try:
            decoded = self.data(record)
        except InTurns as work:
            raise (work if convert is None else work.then(convert)) from None
        return decoded if decoded is None or convert is None else convert(decoded)

    def data(self, record: Record) -> Any:
        """The decoded value of a record; None where it has none.

        Raises:
            Undecodable: Its bytes are not what their schema says, or the schema is not known.
            LimitExceeded: It is too large to be decoded.
            InTurns: It takes long; and so does whatever is made of it.
        """
        last, decoded = self._last
        if last is record:
            if self._last_takes_long:
                raise InTurns(_at_hand(decoded))
            return decoded
        raw = self._raw_of(record)
        if raw is None:
            return None
        if self._late is record:
            raise InTurns(self._later(record, raw))
        if len(raw) > self._bytes_max:
            check_size(raw, "KVS_DATA_BYTES_MAX", self._bytes_max, "as BASE64 or HEX", self._what)
        try:
            decoded = self._format.decode(raw, None if len(raw) <= _SHORT_BYTES_MAX else _until_late())
        except _Late:
            self._late = record
            raise InTurns(self._later(record, raw)) from None
        self._last, self._last_takes_long = (record, decoded), False
        return decoded

    def _later(self, record: Record, raw: bytes) -> Generator[Any, Any, Any]:
        decoded = yield Aside(partial(self._format.decode, raw, _never))
        self._last, self._last_takes_long = (record, decoded), True
        return decoded

    def text(self, record: Record) -> bytes:
        """The JSON of a record. Raises as `data` does."""
        try:
            decoded = self.data(record)
        except InTurns as work:
            raise InTurns(self._text_later(work)) from None
        size = len(self._raw_of(record) or b"")
        if not self._format.converts_to_json or size <= _SHORT_BYTES_MAX:
            return self._format.as_json(decoded)
        if size <= _CONVERTED_AT_ONCE_BYTES_MAX:
            # Few bytes may be long text.
            with suppress(_Late):
                return self._format.as_json(decoded, _until_late())
        raise InTurns(self._text_later(InTurns(_at_hand(decoded))))

    def _text_later(self, work: InTurns) -> Generator[Any, Any, bytes]:
        decoded = yield from work.pieces
        text: bytes = yield Aside(partial(self._format.as_json, decoded))
        return text


class _Late(Exception):
    """Decoding takes too long to go on at once."""


def _until_late() -> Callable[[], None]:
    """What raises `_Late` once decoding has taken long."""
    late = thread_time() + _AT_ONCE_SECONDS

    def check() -> None:
        if thread_time() >= late:
            raise _Late

    return check


def _never() -> None:
    """In a thread, decoding may take its time."""


def _at_hand(decoded: Any) -> Generator[None, None, Any]:
    yield
    return decoded
