"""The values of a table with a schema: each decoded once for all that ask for it one after the other."""

from typing import Any

from kvs_graphql.api.json_values import JsonValues, check_size
from kvs_graphql.formats import TableFormats
from kvs_graphql.records import Record


class TypedValues:
    """Decodes the values of one table, as one generation of its schema has them."""

    def __init__(self, formats: TableFormats, json_bytes_max: int, data_bytes_max: int) -> None:
        assert formats.value is not None
        self._format = formats.value
        self._bytes_max = data_bytes_max
        self._last: tuple[Record | None, Any] = (None, None)
        self.json = JsonValues(json_bytes_max, lambda record: self._format.as_json(self.data(record)))

    def data(self, record: Record) -> Any:
        """The decoded value of a record; None where it has none.

        Raises:
            Undecodable: Its bytes are not what their schema says, or the schema is not known.
            LimitExceeded: It is too large to be decoded.
        """
        last, decoded = self._last
        if last is record:
            return decoded
        raw = record.value
        if raw is None:
            return None
        if len(raw) > self._bytes_max:
            check_size(raw, "KVS_DATA_BYTES_MAX", self._bytes_max, "as BASE64 or HEX")
        decoded = self._format.decode(raw)
        self._last = record, decoded
        return decoded
