"""Schema registries that speak Confluent's API: their client, and the decision which version of a subject is served."""

from kvs_graphql.registry.adoption import Adoption, CannotRead, NotAdopted, Version, adopt
from kvs_graphql.registry.client import SchemaRegistry, open_registry
from kvs_graphql.registry.connection import RegistryConnection, RegistryLimits
from kvs_graphql.registry.errors import RegistryError, RegistryRefused, RegistryUnavailable, SchemaNotFound
from kvs_graphql.registry.follower import Follower, Following

__all__ = [
    "Adoption",
    "CannotRead",
    "Follower",
    "Following",
    "NotAdopted",
    "RegistryConnection",
    "RegistryError",
    "RegistryLimits",
    "RegistryRefused",
    "RegistryUnavailable",
    "SchemaNotFound",
    "SchemaRegistry",
    "Version",
    "adopt",
    "open_registry",
]
