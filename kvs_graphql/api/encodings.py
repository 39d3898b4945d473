"""Keys and values are bytes: how they are written as text, and read back."""

from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from enum import Enum

import strawberry

from kvs_graphql.errors import BadInput, BadKey, NotUtf8


@strawberry.enum(description="How bytes are written as text.")
class Encoding(Enum):
    UTF8 = "UTF8"
    BASE64 = "BASE64"
    HEX = "HEX"


# Members are looked up through a descriptor: on a page of entries that alone would cost a few per cent.
_UTF8 = Encoding.UTF8


def _unpadded(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


_DECODERS: dict[Encoding, Callable[[str], bytes]] = {
    Encoding.UTF8: str.encode,
    Encoding.BASE64: lambda text: b64decode(text, validate=True),
    Encoding.HEX: bytes.fromhex,
}


def decode_key(text: str, encoding: Encoding) -> bytes:
    """Raises: BadKey: The text is not in that encoding."""
    try:
        return _DECODERS[encoding](text)
    except ValueError:
        raise BadKey(f"A key is not in the encoding {encoding.value}.") from None


def decode_value(text: str, encoding: Encoding) -> bytes:
    """Raises: BadInput: The text is not in that encoding."""
    try:
        return _DECODERS[encoding](text)
    except ValueError:
        raise BadInput(f"A value is not in the encoding {encoding.value}.") from None


def show_key(key: bytes, encoding: Encoding) -> str:
    """The key as text. In UTF8, other bytes show as \\xNN, so two different keys can look the same."""
    return key.decode(errors="backslashreplace") if encoding is _UTF8 else _exact(key, encoding)


def show_value(value: bytes, encoding: Encoding) -> str:
    """Raises: NotUtf8: The bytes were asked for as UTF8, and are not."""
    if encoding is not _UTF8:
        return _exact(value, encoding)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotUtf8("The bytes are not UTF-8: ask for them as BASE64 or HEX.") from None


def id_of(key: bytes) -> str:
    """The identity of a key for client caches: it never changes, and every key has its own."""
    return urlsafe_b64encode(key).rstrip(b"=").decode()


def key_of(identity: str) -> bytes:
    """The reverse of `id_of`.

    Raises:
        BadKey: It is not an id of this service.
    """
    try:
        key = _unpadded(identity)
    except ValueError:
        raise BadKey("That is not an id of this service.") from None
    if id_of(key) != identity:
        raise BadKey("That is not an id of this service.")
    return key


def _exact(raw: bytes, encoding: Encoding) -> str:
    return raw.hex() if encoding is Encoding.HEX else b64encode(raw).decode()
