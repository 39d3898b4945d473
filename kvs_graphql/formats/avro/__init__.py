"""Avro: values with a writer's schema and a reader's, by the specification 1.12."""

from kvs_graphql.formats.avro.codec import AvroCodec, avro_codec
from kvs_graphql.formats.avro.envelopes import envelope_codec, op_reader

__all__ = ["AvroCodec", "avro_codec", "envelope_codec", "op_reader"]
