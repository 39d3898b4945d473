"""Versions of Avro's schemas in each compatibility mode of a real registry: which of them are served."""

import json
from typing import Any

import httpx
import pytest

from kvs_graphql.registry import Follower, RegistryConnection, RegistryLimits, open_registry
from kvs_graphql.schemas import cannot_read_as
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.registry.apicurio import Apicurio

pytestmark = pytest.mark.kafka

LIMITS = RegistryLimits(seconds_max=SECONDS_MAX, failure_seconds=NEVER_SECONDS)
MODES = ("BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE")
BACKWARD, FORWARD, NONE = MODES[:2], MODES[2:4], MODES[6:]
A: dict[str, Any] = {"name": "a", "type": "int"}
B: dict[str, Any] = {"name": "b", "type": "string"}
C = {**B, "name": "c"}


def with_default(field: dict[str, Any], default: object = "") -> dict[str, Any]:
    return {**field, "default": default}


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "Order", "fields": fields})


CHANGES: dict[str, tuple[list[str], tuple[str, ...], str | None]] = {
    "added with a default": ([record(A), record(A, with_default(B))], MODES, None),
    "added": ([record(A), record(A, B)], (*FORWARD, *NONE), "it cannot read version 1: "),
    "removed": ([record(A, B), record(A)], (*BACKWARD, *NONE), None),
    "removed with a default": ([record(A, with_default(B)), record(A)], MODES, None),
    "renamed with an alias": (
        [record(A, B), record(A, {**C, "aliases": ["b"]})],
        (*BACKWARD, *NONE),
        None,
    ),
    "renamed": ([record(A, B), record(A, C)], NONE, "it cannot read version 1: "),
    "of a wider type": ([record(A, B), record({**A, "type": "long"}, B)], (*BACKWARD, *NONE), None),
    "of a narrower type": ([record({**A, "type": "long"}), record(A)], (*FORWARD, *NONE), "it cannot read version 1: "),
    "of another type": ([record(A, B), record(A, {**B, "type": "int"})], NONE, "it cannot read version 1: "),
    "without its default since": (
        [record(A), record(A, with_default(B)), record(A, B)],
        ("BACKWARD", *FORWARD, "FULL", *NONE),
        "it cannot read version 1: ",
    ),
}
"""By what happens to a field: the versions, the modes in which the registry takes the last one, and how the reason
begins why that one is not served; None if it is."""


@pytest.mark.parametrize("change", CHANGES)
async def test_version_is_served_by_what_it_can_read_whatever_the_mode_of_the_registry(
    apicurio: Apicurio, subject: str, change: str
) -> None:
    (*earlier, last), accepting, reason = CHANGES[change]
    number = len(earlier) + 1
    async with open_registry(RegistryConnection(apicurio.url), LIMITS) as registry:
        for mode in MODES:
            own = f"{subject}-{mode}"
            for text in earlier:
                apicurio.register(own, text)
            apicurio.set_compatibility(own, mode)
            follower = Follower(registry, own, cannot_read_as("avro", ""))
            await follower.look()
            assert takes(apicurio, own, last) == (mode in accepting)
            await follower.look()
            assert follower.state.served is not None
            assert follower.state.problem is None
            served, refused = follower.state.served.number, follower.state.refused
            if mode not in accepting:
                assert (served, refused) == (number - 1, ())
            elif reason is None:
                assert (served, refused) == (number, ())
            else:
                assert (served, [one.number for one in refused]) == (number - 1, [number])
                assert refused[0].reason.startswith(reason)


def takes(apicurio: Apicurio, subject: str, schema: str) -> bool:
    """Register a version, if the registry finds it compatible; return whether it does."""
    try:
        apicurio.register(subject, schema)
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 409:
            raise
        return False
    return True
