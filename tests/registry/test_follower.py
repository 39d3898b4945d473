"""Following a subject, on a real registry and on one that misbehaves."""

from asyncio import StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from kvs_graphql.formats import SchemaText
from kvs_graphql.registry import (
    Follower,
    Following,
    NotAdopted,
    RegistryConnection,
    RegistryLimits,
    Version,
    open_registry,
)
from tests.registry.apicurio import Apicurio
from tests.registry.failures import PATIENT
from tests.registry.front import Front, Request, answering, answering_by_path, sending
from tests.registry.readers import avro, cannot_read, record


@asynccontextmanager
async def following(front: Front, limits: RegistryLimits = PATIENT, **options: Any) -> AsyncIterator[Follower]:
    async with open_registry(RegistryConnection(front.url), limits) as registry:
        yield Follower(registry, "orders", cannot_read, **options)


def registered(**schemas: tuple[int, str]) -> dict[str, object]:
    """What a registry answers that has these versions, `v1=(id, schema)`, of the subject `orders`."""
    numbers = [int(name[1:]) for name in schemas]
    versions = {
        f"/subjects/orders/versions/{number}": {"id": schema_id, "version": number, "schema": text}
        for number, (schema_id, text) in zip(numbers, schemas.values(), strict=True)
    }
    return {"/subjects/orders/versions": numbers, **versions}


A, A_B, C = record("a"), record("a", b=0), record("c")


@pytest.mark.kafka
@pytest.mark.parametrize("mode", ["NONE", "BACKWARD", "FULL_TRANSITIVE"])
async def test_new_version_is_adopted_without_a_restart(apicurio: Apicurio, subject: str, mode: str) -> None:
    apicurio.register(subject, A)
    apicurio.set_compatibility(subject, mode)
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        follower = Follower(registry, subject, cannot_read)
        first = await follower.look()
        assert first is not None
        assert first == Version(1, first.id, avro("a"))
        assert await follower.look() is None
        second = apicurio.register(subject, A_B)
        assert await follower.look() == Version(2, second, avro("a", b=0))
        assert follower.state.problem is None


@pytest.mark.kafka
async def test_version_that_cannot_read_the_others_is_not_adopted_until_they_are_deleted(
    apicurio: Apicurio, subject: str
) -> None:
    apicurio.register(subject, A)
    apicurio.set_compatibility(subject, "NONE")
    apicurio.register(subject, C)
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        follower = Follower(registry, subject, cannot_read)
        first = await follower.look()
        assert first is not None
        assert (first.number, follower.state.served) == (1, first)
        assert follower.state.refused == (NotAdopted(2, "it cannot read version 1: it has no field c"),)
        apicurio.delete_version(subject, 1)
        second = await follower.look()
        assert second is not None
        assert second.number == 2
        assert not follower.state.refused


@pytest.mark.kafka
async def test_subject_that_vanishes_leaves_what_is_served(apicurio: Apicurio, subject: str) -> None:
    apicurio.register(subject, A)
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        follower = Follower(registry, subject, cannot_read)
        served = await follower.look()
        apicurio.delete_subject(subject)
        assert await follower.look() is None
        assert follower.state.served == served
        assert follower.state.problem == f"the schema registry has no subject '{subject}'"
        apicurio.register(subject, A_B)
        assert (await follower.look() or follower.state.served) != served
        assert follower.state.problem is None


async def test_look_that_finds_nothing_new_takes_one_request_and_decides_nothing(front: Front) -> None:
    decided = 0

    def count(reader: SchemaText, writer: SchemaText) -> str | None:
        nonlocal decided
        decided += 1
        return cannot_read(reader, writer)

    front.behave(answering_by_path(registered(v1=(11, A), v2=(12, A_B))))
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        follower = Follower(registry, "orders", count)
        assert await follower.look() is not None
        front.requests.clear()
        decided = 0
        for _ in range(3):
            assert await follower.look() is None
        assert decided == 0
        assert [request.path for request in front.requests] == ["/subjects/orders/versions"] * 3
        front.behave(answering_by_path(registered(v1=(11, A), v2=(12, A_B), v3=(13, record("a", b=0, c=0)))))
        front.requests.clear()
        assert await follower.look() is not None
        assert len(front.requests) == 2


@pytest.mark.parametrize(
    "behaviour",
    [answering(401), answering(404), answering(500), answering(200, b"<html>"), answering(200, []), sending(b"")],
    ids=["401", "404", "500", "garbage", "empty", "closed"],
)
async def test_faulty_registry_leaves_what_is_served_and_shows(front: Front, behaviour: Any) -> None:
    front.behave(answering_by_path(registered(v1=(11, A))))
    async with following(front) as follower:
        served = await follower.look()
        front.behave(behaviour)
        assert await follower.look() is None
        assert follower.state.served == served
        assert follower.state.problem
        front.behave(answering_by_path(registered(v1=(11, A), v2=(12, A_B))))
        found = await follower.look()
        assert found is not None
        assert found.number == 2
        assert not follower.state.problem


async def test_registry_that_goes_away_between_two_requests_is_no_fault_of_a_version(front: Front) -> None:
    async def answer_lists_only(request: Request, writer: StreamWriter) -> None:
        listed = request.path.endswith("/versions")
        await (answering(200, [1, 2]) if listed else answering(503))(request, writer)

    front.behave(answering_by_path(registered(v1=(11, A))))
    async with following(front) as follower:
        served = await follower.look()
        front.behave(answer_lists_only)
        assert await follower.look() is None
        assert follower.state == Following(served, (), f"the schema registry at {front.url} answered HTTP 503")


async def test_start_without_the_registry_serves_what_an_earlier_run_has_kept(front: Front) -> None:
    kept = Version(1, 11, avro("a"))
    front.behave(answering(503))
    async with following(front, served=kept) as follower:
        assert await follower.look() is None
        assert follower.state.served == kept
        front.behave(answering_by_path(registered(v1=(11, A))))
        assert await follower.look() is None
        assert (follower.state.served, follower.state.problem) == (kept, None)


async def test_id_that_means_another_schema_after_an_outage_changes_nothing_and_shows(front: Front) -> None:
    front.behave(answering_by_path(registered(v1=(11, A), v2=(12, A_B))))
    async with following(front) as follower:
        served = await follower.look()
        front.behave(answering(503))
        await follower.look()
        # Restored, with the ids in another order.
        front.behave(answering_by_path(registered(v1=(12, A), v2=(11, A_B))))
        assert await follower.look() is None
        assert follower.state.served == served
        assert follower.state.problem == (
            "the id 12, of version 1 of subject 'orders', was that of another schema before: "
            "the registry may have been restored with other ids"
        )
        front.behave(answering_by_path(registered(v1=(11, A), v2=(12, A_B))))
        assert await follower.look() is None
        assert not follower.state.problem


async def test_id_of_an_earlier_run_that_means_another_schema_changes_nothing_and_shows(front: Front) -> None:
    front.behave(answering_by_path(registered(v1=(11, A_B))))
    async with following(front, known={11: avro("a")}) as follower:
        assert await follower.look() is None
        assert follower.state.served is None
        assert "the id 11, of version 1" in str(follower.state.problem)


async def test_restored_registry_with_new_ids_is_written_with_them(front: Front) -> None:
    front.behave(answering_by_path(registered(v1=(11, A))))
    async with following(front) as follower:
        await follower.look()
        front.behave(answering(503))
        await follower.look()
        front.behave(answering_by_path(registered(v1=(105, A))))
        assert await follower.look() == Version(1, 105, avro("a"))


async def test_same_schema_in_another_layout_is_the_same(front: Front) -> None:
    front.behave(answering_by_path(registered(v1=(11, A.replace(" ", "\n")))))
    async with following(front, known={11: avro("a")}) as follower:
        assert await follower.look() is not None
        assert follower.state.problem is None


async def test_version_that_is_too_large_is_not_adopted_and_hinders_no_other(front: Front) -> None:
    front.behave(answering_by_path(registered(v1=(11, A), v2=(12, record("a" * 10_000)))))
    async with following(front, replace(PATIENT, schema_bytes_max=1_000)) as follower:
        found = await follower.look()
        assert found is not None
        assert found.number == 1
        assert follower.state.refused == (NotAdopted(2, "the schema has more than 1,000 bytes with what it refers to"),)


async def test_version_that_is_not_given_for_a_while_takes_nothing_back(front: Front) -> None:
    answers = registered(v1=(11, A), v2=(12, A_B))
    front.behave(answering_by_path(answers))
    async with following(front) as follower:
        served = await follower.look()
        front.behave(answering(503))
        await follower.look()
        front.behave(answering_by_path({**answers, "/subjects/orders/versions/2": "garbage"}))
        assert await follower.look() is None
        assert follower.state.served == served
        assert [one.number for one in follower.state.refused] == [2]
        front.behave(answering_by_path(answers))
        assert await follower.look() is None
        assert (follower.state.served, follower.state.refused) == (served, ())


async def test_pinned_version_is_served_also_where_it_was_deleted(front: Front) -> None:
    answers = registered(v1=(11, A), v2=(12, A_B), v3=(13, record("a", b=0, c=0)))
    front.behave(answering_by_path({**answers, "/subjects/orders/versions": [1, 3]}))
    async with following(front, pinned=2) as follower:
        found = await follower.look()
        assert found is not None
        assert (found.number, follower.state.refused) == (2, (NotAdopted(3, "version 2 is pinned"),))
    async with following(front, pinned=7) as follower:
        assert await follower.look() is None
        assert follower.state.problem == "no version of subject 'orders' can be served"
        assert follower.state.refused[0] == NotAdopted(7, "the schema registry has no version 7 of subject 'orders'")


@pytest.mark.parametrize("limit", ["versions_max", "cache_bytes_max"])
async def test_least_versions_that_are_looked_at_are_the_newest_one(front: Front, limit: str) -> None:
    front.behave(answering_by_path(registered(v1=(11, A), v2=(12, C))))
    async with following(front, replace(PATIENT, **{limit: 1})) as follower:
        found = await follower.look()
        assert found is not None
        assert (found.number, follower.state.unseen) == (2, 1)
