"""What a schema means, and how much memory its texts take."""

import sys
from hashlib import sha256

import orjson

from kvs_graphql.formats import SchemaText

_IN_JSON = frozenset({"avro", "json_schema"})


def meaning_of(schema: SchemaText) -> bytes:
    """Return a digest that is the same for schemas that are equal but for spaces and the order of JSON's keys.

    A registry that was restored may write the same schema in another way.
    """
    digest = sha256()
    for name, one in (("", schema), *schema.references):
        for part in (name, one.format, _normal(one)):
            encoded = part if isinstance(part, bytes) else part.encode(errors="surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


def size_of(schema: SchemaText) -> int:
    """Return the bytes of memory that the texts of a schema take."""
    return sys.getsizeof(schema.text) + sum(sys.getsizeof(one.text) for _, one in schema.references)


def _normal(schema: SchemaText) -> bytes | str:
    if schema.format not in _IN_JSON:
        return schema.text
    try:
        return orjson.dumps(orjson.loads(schema.text), option=orjson.OPT_SORT_KEYS)
    except ValueError:
        return schema.text
