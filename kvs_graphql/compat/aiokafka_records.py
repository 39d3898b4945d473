"""Reads record batches that aiokafka's consumer does not: those with names of headers that are not UTF-8.

Every failure to decode a batch becomes a `CorruptRecordException`, so that the consumer can name the record's offset.
aiokafka raises whatever its decoder runs into. It has no hook for decoding; `tests/compat/test_aiokafka_records.py`
checks everything here against the installed version.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, Self

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

_LENGTH_AT, _AFTER_LENGTH, _MAGIC_AT = 8, 12, 16
_MAGIC_WITH_HEADERS = 2


def read_any_records() -> None:
    """Have all consumers read batches through `AnyRecords`. Replaces the undocumented `fetcher.MemoryRecords`."""
    fetcher.MemoryRecords = AnyRecords


class AnyRecords:
    """The batches of one fetched partition. Wraps the undocumented `aiokafka.record.MemoryRecords`."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._records = MemoryRecords(raw)
        self._at = 0

    def size_in_bytes(self) -> int:
        """Return the number of bytes fetched."""
        size: int = self._records.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """Return whether there is another whole batch."""
        has_next: bool = self._records.has_next()
        return has_next

    def next_batch(self) -> "_Batch":
        """Return the next batch.

        Raises:
            CorruptRecordException: It has no head.
        """
        try:
            batch = self._records.next_batch()
            end = self._at + _AFTER_LENGTH + struct.unpack_from(">i", self._raw, self._at + _LENGTH_AT)[0]
            raw, self._at = memoryview(self._raw)[self._at : end], end
            return _Batch(batch, raw)
        except Exception as error:
            raise _corrupt(error) from error


class _Batch:
    """A batch of aiokafka's decoder, and the slower one that reads on where the first one fails."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw
        self.producer_id = batch.producer_id
        self.base_offset = batch.base_offset
        self.next_offset = batch.next_offset
        self.is_control_batch = batch.is_control_batch
        self.is_transactional = batch.is_transactional

    def validate_crc(self) -> bool:
        valid: bool = self._batch.validate_crc()
        return valid

    def __next__(self) -> Any:
        return next(iter(self))

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            for record in self._batch:
                yield record
                count += 1
        except UnsupportedCodecError:
            raise
        except Exception as error:
            if self._raw[_MAGIC_AT] != _MAGIC_WITH_HEADERS:
                raise _corrupt(error) from error
        else:
            return
        try:
            yield from islice(_LenientBatch(self._raw), count, None)
        except Exception as error:
            raise _corrupt(error) from error


class _LenientBatch(_DefaultRecordBatchPy):
    """Decodes names of headers as keys are shown: bytes that are not UTF-8 become \\xNN.

    Extends aiokafka's private decoder in Python, replaces its private `_buffer`, and gives `_read_msg` the undocumented
    `decode_varint_py`: the default in C reads past the end of a buffer, which ends the process.
    """

    _buffer: bytearray

    def __iter__(self) -> Self:
        super().__iter__()
        self._buffer = _LenientBuffer(self._buffer)
        return self

    def _read_msg(self, decode_varint: Any = decode_varint_py) -> Any:
        return super()._read_msg(decode_varint)


class _LenientBuffer(bytearray):
    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _LenientBuffer(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


def _corrupt(error: Exception) -> Exception:
    reason = f"it cannot be decoded: {error}" if str(error) else "it cannot be decoded"
    corrupt: Exception = error if isinstance(error, CorruptRecordException) else CorruptRecordException(reason)
    return corrupt
