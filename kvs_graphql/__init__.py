"""A GraphQL query service over a Kafka-backed key-value store."""

from importlib.metadata import version

__version__ = version("kvs-graphql")
