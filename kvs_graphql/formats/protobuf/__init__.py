"""The format Protobuf.

Names in GraphQL are those of `formats.names`. Scalars of proto3 without `optional` are not nullable, and show their
default; so do those of proto2 with a default of their own. Other fields are null where they are not set. An open
enumeration has the value `UNRECOGNIZED` for numbers without a name, so that a new value breaks nothing. Integers
without a sign are `Int64`, because `Int` has no room for them.
"""

from kvs_graphql.formats.protobuf.codec import ProtobufCodec, protobuf_codec
from kvs_graphql.formats.protobuf.evolution import cannot_read
from kvs_graphql.formats.protobuf.schema import ProtobufSchema

__all__ = ["ProtobufCodec", "ProtobufSchema", "cannot_read", "protobuf_codec"]
