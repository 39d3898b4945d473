"""The client, against a real registry and against one that misbehaves."""

import asyncio
import gzip
import json
from contextlib import suppress
from dataclasses import replace

import pytest

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.registry import (
    RegistryConnection,
    RegistryError,
    RegistryRefused,
    RegistryUnavailable,
    SchemaNotFound,
    open_registry,
)
from kvs_graphql.registry.http import open_http
from tests.deadline import SECONDS_MAX
from tests.ports import HOST, free_port
from tests.registry.apicurio import Apicurio
from tests.registry.failures import AVRO, PATIENT, SECRET, STRING, failure
from tests.registry.front import (
    Behaviour,
    Front,
    Request,
    answering,
    answering_by_path,
    drip,
    flood,
    hang,
    sending,
)

HASTY = replace(PATIENT, seconds_max=0.05)
"""For answers that never come."""


def record(name: str, **types: str) -> str:
    """A record of Avro with fields of these types."""
    return json.dumps({"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in types.items()]})


@pytest.mark.kafka
async def test_schemas_of_all_formats_come_with_all_that_they_refer_to(apicurio: Apicurio, subject: str) -> None:
    inner, outer = f"{subject}-inner", f"{subject}-outer"
    apicurio.register(inner, record("Inner", n="int"))
    apicurio.register(outer, record("Outer", inner="Inner"), references=[("Inner", inner, 1)])
    avro = record("Root", outer="Outer", again="Inner")
    by_avro = apicurio.register(subject, avro, references=[("Outer", outer, 1), ("Inner", inner, 1)])
    part = 'syntax = "proto3"; package parts; message Part { int32 size = 1; }'
    whole = 'syntax = "proto3"; import "part.proto"; message Whole { parts.Part part = 1; }'
    apicurio.register(f"{subject}-part", part, "PROTOBUF")
    by_protobuf = apicurio.register(f"{subject}-whole", whole, "PROTOBUF", [("part.proto", f"{subject}-part", 1)])
    plain = '{"type": "object", "properties": {"a": {"type": "integer"}}}'
    by_json = apicurio.register(f"{subject}-json", plain, "JSON")
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        assert await registry.by_id(by_avro) == SchemaText(
            "avro",
            avro,
            (
                ("Inner", SchemaText("avro", record("Inner", n="int"))),
                ("Outer", SchemaText("avro", record("Outer", inner="Inner"))),
            ),
        )
        assert await registry.by_id(by_protobuf) == SchemaText(
            "protobuf", whole, (("part.proto", SchemaText("protobuf", part)),)
        )
        assert await registry.by_id(by_json) == SchemaText("json_schema", plain)
        assert await registry.version(subject, 1) == (by_avro, await registry.by_id(by_avro))


@pytest.mark.kafka
async def test_deleted_versions_are_not_listed_and_their_ids_stay_readable(apicurio: Apicurio, subject: str) -> None:
    ids = [apicurio.register(subject, record("Root", **{f"n{number}": "int"})) for number in range(3)]
    apicurio.delete_version(subject, 2)
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        assert await registry.versions(subject) == [1, 3]
        assert (await registry.by_id(ids[1])).text == record("Root", n1="int")
        assert (await registry.version(subject, 2))[0] == ids[1]


@pytest.mark.kafka
async def test_what_the_registry_does_not_have_is_named(apicurio: Apicurio, subject: str) -> None:
    apicurio.register(subject, STRING)
    unknown = 2_000_000_000
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        with pytest.raises(SchemaNotFound, match=f"^the schema registry has no schema with the id {unknown}$"):
            await registry.by_id(unknown)
        with pytest.raises(SchemaNotFound, match=r"^the schema registry has no subject 'a/b c'$"):
            await registry.versions("a/b c")
        with pytest.raises(SchemaNotFound, match=f"^the schema registry has no version 2 of subject '{subject}'$"):
            await registry.version(subject, 2)
        with pytest.raises(SchemaNotFound):
            await registry.by_id(2**32 - 1)


@pytest.mark.kafka
async def test_subject_with_any_characters_is_found(apicurio: Apicurio, subject: str) -> None:
    odd = f"{subject}/a b?c#d%e:ü"
    apicurio.register(odd, STRING)
    async with open_registry(RegistryConnection(apicurio.url), PATIENT) as registry:
        assert await registry.versions(odd) == [1]


BOMB = gzip.compress(b" " * 100_000_000)
FAULTS: dict[str, tuple[Behaviour, type[RegistryError], str]] = {
    "no access": (answering(401), RegistryRefused, "refuses access: HTTP 401"),
    "forbidden": (answering(403, {"error_code": 40301}), RegistryRefused, "HTTP 403 (error code 40301)"),
    "no schema": (answering(404, {"error_code": 40403}), SchemaNotFound, "has no schema with the id 1"),
    "another service": (answering(404, b"<html>"), RegistryUnavailable, "no registry seems to be at this URL"),
    "wrong request": (answering(422, {"error_code": SECRET}), RegistryUnavailable, "answered HTTP 422"),
    "moved": (answering(302), RegistryUnavailable, "answered HTTP 302"),
    "failing": (answering(500, {"message": SECRET}), RegistryUnavailable, "answered HTTP 500"),
    "overloaded": (answering(503), RegistryUnavailable, "answered HTTP 503"),
    "no JSON": (answering(200, f"<{SECRET}>".encode()), RegistryUnavailable, "did not answer in JSON"),
    "no bytes": (answering(200, b""), RegistryUnavailable, "did not answer in JSON"),
    "other JSON": (answering(200, [SECRET]), RegistryUnavailable, "something else than a schema"),
    "no text": (answering(200, {"schema": 1}), RegistryUnavailable, "something else than a schema"),
    "other format": (answering(200, {**AVRO, "schemaType": SECRET}), RegistryUnavailable, "format that is unknown"),
    "wrong reference": (
        answering(200, {**AVRO, "references": [{"name": SECRET}]}),
        RegistryUnavailable,
        "something else than a schema",
    ),
    "compressed": (
        sending(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        RegistryUnavailable,
        "did not answer in JSON",
    ),
    "no HTTP": (sending(f"{SECRET}\r\n\r\n".encode()), RegistryUnavailable, "does not speak HTTP"),
    "closed": (sending(b""), RegistryUnavailable, "the connection ended before the answer"),
    "cut": (
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        RegistryUnavailable,
        "the connection ended before the answer",
    ),
    "endless": (flood, RegistryUnavailable, "sent more than"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faulty_registry_is_one_line_of_plain_words(front: Front, fault: str) -> None:
    behaviour, kind, words = FAULTS[fault]
    front.behave(behaviour)
    connection = RegistryConnection(front.url, username="ann", password=SECRET)
    async with open_registry(connection, PATIENT) as registry:
        error = await failure(registry)
        assert type(error) is kind
        assert words in str(error)
        with pytest.raises(kind):
            await registry.versions("orders")
    shown = str(error) + repr(error) + repr(connection)
    assert SECRET not in shown
    assert "\n" not in str(error)
    assert not any(name in str(error) for name in ("Error", "httpx", "object", "b'"))


@pytest.mark.parametrize("behaviour", [hang, drip], ids=["hangs", "drips"])
async def test_slow_registry_is_given_up_at_the_limit(front: Front, behaviour: Behaviour) -> None:
    front.behave(behaviour)
    async with open_registry(RegistryConnection(front.url), HASTY) as registry:
        error = await failure(registry)
        assert str(error) == f"the schema registry at {front.url} did not answer within 0.05 s"
        with pytest.raises(RegistryUnavailable):
            await registry.versions("orders")
        with pytest.raises(RegistryUnavailable):
            await registry.version("orders", 1)


async def test_registry_that_is_away_is_named_without_what_is_secret_in_its_url() -> None:
    address = f"{HOST}:{free_port()}"
    async with open_registry(RegistryConnection(f"http://ann:{SECRET}@{address}/path?{SECRET}"), PATIENT) as registry:
        error = await failure(registry)
    assert str(error) == f"the schema registry at http://{address}/path: connection refused"


@pytest.mark.parametrize(("status", "count"), [(503, 3), (500, 3), (429, 3), (401, 1), (404, 1), (302, 1)])
async def test_only_what_may_succeed_in_a_moment_is_tried_again(front: Front, status: int, count: int) -> None:
    front.behave(answering(status))
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        await failure(registry)
    assert len(front.requests) == count


async def test_registry_that_fails_once_is_asked_again(front: Front) -> None:
    async def fail_once(request: Request, writer: asyncio.StreamWriter) -> None:
        front.behave(answering(200, AVRO))
        await answering(503)(request, writer)

    front.behave(fail_once)
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        assert (await registry.by_id(1)).text == STRING


async def test_many_who_want_one_id_share_one_request_and_what_it_had(front: Front) -> None:
    front.behave(answering_by_path({"/schemas/ids/1": AVRO}))
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        found = await asyncio.gather(*(registry.by_id(1) for _ in range(1_000)))
        found.append(await registry.by_id(1))
        assert {one.text for one in found} == {STRING}
        failed = await asyncio.gather(*(failure(registry, 2) for _ in range(1_000)))
        failed.append(await failure(registry, 2))
    assert {str(one) for one in failed} == {"the schema registry has no schema with the id 2"}
    assert [request.path for request in front.requests] == ["/schemas/ids/1", "/schemas/ids/2"]


async def test_caller_that_is_cancelled_does_not_end_the_request_of_the_others(front: Front) -> None:
    answered = asyncio.Event()

    async def wait(request: Request, writer: asyncio.StreamWriter) -> None:
        await answered.wait()
        await answering(200, AVRO)(request, writer)

    front.behave(wait)
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        first, second = (asyncio.create_task(registry.by_id(1)) for _ in range(2))
        await front.seen(1)
        first.cancel()
        await asyncio.wait([first])
        answered.set()
        assert (await second).text == STRING
    assert len(front.requests) == 1


async def test_callers_that_wait_at_the_end_get_an_error_and_are_not_cancelled(front: Front) -> None:
    front.behave(hang)
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        waiting = asyncio.create_task(failure(registry))
        await front.seen(1)
    assert str(await waiting) == "the schema registry is not asked any more"


async def test_request_that_waits_for_others_does_not_make_the_registry_count_as_away(front: Front) -> None:
    release = asyncio.Event()

    async def wait(request: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await answering(200, AVRO)(request, writer)

    front.behave(wait)
    async with open_http(RegistryConnection(front.url), replace(PATIENT, requests_max=1)) as http:
        first = asyncio.create_task(http.get("/schemas/ids/1", http.deadline()))
        await front.seen(1)
        with pytest.raises(RegistryUnavailable, match=r"^too many requests wait for the schema registry at"):
            await http.get("/schemas/ids/2", asyncio.get_running_loop().time())
        release.set()
        assert await first == AVRO
        assert await http.get("/schemas/ids/3", http.deadline()) == AVRO
    assert len(front.requests) == 2


async def test_registry_that_is_away_is_not_asked_for_each_of_many_ids(front: Front) -> None:
    front.behave(answering(503))
    async with open_registry(RegistryConnection(front.url), replace(PATIENT, requests_max=1)) as registry:
        await asyncio.gather(*(failure(registry, number) for number in range(1_000)))
        assert len(front.requests) == 3
        # What looks for new versions asks anyway, and finds that the registry is back.
        front.behave(answering_by_path({"/subjects/orders/versions": [1], "/schemas/ids/5000": AVRO}))
        assert await registry.versions("orders") == [1]
        assert (await registry.by_id(5000)).text == STRING


async def test_schema_at_which_the_registry_fails_does_not_hide_the_others(front: Front) -> None:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        broken = request.path == "/schemas/ids/1"
        await (answering(500) if broken else answering(200, AVRO))(request, writer)

    front.behave(behave)
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        await failure(registry, 1)
        assert (await registry.by_id(2)).text == STRING


async def test_failure_is_forgotten_after_its_seconds(front: Front) -> None:
    front.behave(answering_by_path({}))
    async with open_registry(RegistryConnection(front.url), replace(PATIENT, failure_seconds=0.01)) as registry:
        await failure(registry)
        front.behave(answering(200, AVRO))
        async with asyncio.timeout(SECONDS_MAX):
            found = None
            while found is None:
                with suppress(SchemaNotFound):
                    found = await registry.by_id(1)
                await asyncio.sleep(0.01)


async def test_requests_at_the_same_time_are_bounded(front: Front) -> None:
    release = asyncio.Event()
    open_requests = most = 0

    async def wait(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal open_requests, most
        open_requests += 1
        most = max(most, open_requests)
        await release.wait()
        open_requests -= 1
        await answering(200, AVRO)(request, writer)

    front.behave(wait)
    async with open_registry(RegistryConnection(front.url), replace(PATIENT, requests_max=1)) as registry:
        calls = [asyncio.create_task(registry.by_id(number)) for number in range(10)]
        await front.seen(1)
        release.set()
        await asyncio.gather(*calls)
    assert (most, len(front.requests)) == (1, 10)


def referring(*subjects: str) -> dict[str, object]:
    """A version whose schema refers to the first versions of these subjects."""
    references = [{"name": one, "subject": one, "version": 1} for one in subjects]
    return {**AVRO, "id": 9, "version": 1, "references": references}


async def test_references_in_a_circle_end(front: Front) -> None:
    front.behave(
        answering_by_path(
            {
                "/schemas/ids/1": referring("a"),
                "/subjects/a/versions/1": referring("b"),
                "/subjects/b/versions/1": referring("a"),
            }
        )
    )
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        assert [name for name, _ in (await registry.by_id(1)).references] == ["a", "b"]


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("references_max", "refers to more than 1 others"),
        ("references_depth_max", "in a chain of more than 1"),
        ("schema_bytes_max", "more than 1 bytes"),
    ],
)
async def test_schema_that_refers_to_too_much_is_refused(front: Front, limit: str, words: str) -> None:
    answers = {"/schemas/ids/1": referring("a"), "/schemas/ids/2": AVRO}
    answers |= {"/subjects/a/versions/1": referring("b"), "/subjects/b/versions/1": referring()}
    front.behave(answering_by_path(answers))
    async with open_registry(RegistryConnection(front.url), replace(PATIENT, **{limit: 1})) as registry:
        error = await failure(registry)
        assert type(error) is RegistryUnavailable
        assert words in str(error)
        if limit != "schema_bytes_max":
            assert (await registry.by_id(2)).text == STRING


async def test_reference_to_what_is_not_there_is_named(front: Front) -> None:
    front.behave(answering_by_path({"/schemas/ids/1": referring("a")}))
    async with open_registry(RegistryConnection(front.url), PATIENT) as registry:
        assert str(await failure(registry)) == "the schema registry has no version 1 of subject 'a'"


async def test_least_memory_for_schemas_and_failures_only_costs_requests(front: Front) -> None:
    front.behave(answering_by_path({"/schemas/ids/1": AVRO}))
    limits = replace(PATIENT, cache_bytes_max=1, failures_max=1)
    async with open_registry(RegistryConnection(front.url), limits) as registry:
        for _ in range(2):
            assert (await registry.by_id(1)).text == STRING
            await failure(registry, 2)
            await failure(registry, 3)
    assert len(front.requests) == 6
