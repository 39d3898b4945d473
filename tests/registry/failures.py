"""Asking a registry for what it cannot give."""

import pytest

from kvs_graphql.registry import RegistryError, RegistryLimits, SchemaRegistry
from tests.deadline import NEVER_SECONDS, SECONDS_MAX

SECRET = "swordfish"  # noqa: S105 - no registry has this password
PATIENT = RegistryLimits(seconds_max=SECONDS_MAX, failure_seconds=NEVER_SECONDS)
STRING = '"string"'
AVRO = {"schema": STRING}


async def failure(registry: SchemaRegistry, schema_id: int = 1) -> RegistryError:
    """The error at the schema with this id."""
    with pytest.raises(RegistryError) as raised:
        await registry.by_id(schema_id)
    return raised.value
