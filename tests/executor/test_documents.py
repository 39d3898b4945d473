"""Documents are prepared once for all who send the same, and the cache is bounded."""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphql
import pytest
from graphql import OperationType

from kvs_graphql.api import build_schema
from kvs_graphql.compat.strawberry import graphql_schema
from kvs_graphql.executor import DocumentPolicy, Executor, Fault, PreparedOperation, Refusal, Request, documents
from kvs_graphql.executor.documents import Documents
from kvs_graphql.metrics import Metrics
from tests.applications import DOCUMENT_LIMITS, EXECUTOR_LIMITS, open_application
from tests.passes import Passes

SCHEMA = graphql_schema(build_schema())
KIB = 1024
DOCUMENT_CHARACTERS_MAX = 64 * KIB
CACHE_CHARACTERS_MAX = 512 * KIB
CHARACTERS_PER_DOCUMENT = 32
SEVERAL = "query A { __typename } subscription B { updates { kind } } mutation C { nothing }"


@pytest.fixture
def prepared_documents() -> Documents:
    return Documents(SCHEMA, DOCUMENT_LIMITS)


def of_length(characters: int, number: int = 0) -> str:
    """Return a valid document of exactly that length, unlike those of other numbers."""
    return f"{{ __typename }} # {number} ".ljust(characters, "x")


def fault_and_code(prepared: PreparedOperation | Refusal) -> tuple[Fault, Any]:
    assert isinstance(prepared, Refusal)
    (error,) = prepared.errors
    return prepared.fault, (error.extensions or {}).get("code")


def test_document_is_parsed_and_validated_once(prepared_documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()

    def count(name: str) -> None:
        real = getattr(documents, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(documents, name, counted)

    for name in ("parse", "validate", "compile_operation"):
        count(name)
    query = "query A { __typename } query B { status { version } }"
    first = [prepared_documents.prepare(query, name) for name in ("A", "B")]
    second = [prepared_documents.prepare(query, name) for name in ("A", "B")]
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert calls == {"parse": 1, "validate": 1, "compile_operation": 2}


async def test_long_document_is_prepared_aside_once_for_all_who_wait_for_it(
    prepared_documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    real = graphql.parse

    def parse(*arguments: Any, **options: Any) -> Any:
        threads.append(threading.current_thread().name)
        return real(*arguments, **options)

    monkeypatch.setattr(documents, "parse", parse)
    query = of_length(501)
    assert prepared_documents.takes_long(query)
    assert not prepared_documents.takes_long(of_length(500))
    found = await asyncio.gather(*(prepared_documents.prepare_aside(query, None) for _ in range(3)))
    assert isinstance(found[0], PreparedOperation)
    assert found[0] is found[1] is found[2] is prepared_documents.prepare(query, None)
    assert not prepared_documents.takes_long(query), "it is known now"
    (thread,) = threads
    assert thread.startswith("documents")


async def rounds_until_prepared(executor: Executor, requests: Sequence[Request]) -> list[int]:
    """The round of the event loop in which each of the requests, which come together, is prepared."""
    passes = Passes()

    async def prepared(request: Request) -> int:
        await executor.prepare_in_turn(request)
        return passes.number

    rounds = await asyncio.gather(*map(prepared, requests))
    passes.close()
    return rounds


NAMED = {f"id {number}": f"query q{number} {{ __typename }}" for number in range(20)}


@pytest.mark.parametrize(
    "new",
    [
        [Request(f"{{ __typename }} # {number}") for number in range(20)],
        [Request(f"{{ nothing{number} }}") for number in range(20)],
        [Request(None, document_id=name) for name in NAMED],
    ],
    ids=["valid", "invalid", "named"],
)
async def test_one_of_many_new_documents_is_prepared_in_each_round_and_no_known_one_waits(new: list[Request]) -> None:
    policy = DocumentPolicy(trusted=NAMED)
    executor = Executor(build_schema(), replace(EXECUTOR_LIMITS, policy=policy), Metrics())
    known = Request("{ status { ready } }")
    executor.prepare(known)
    *rounds, at_once = await rounds_until_prepared(executor, [*new, known])
    assert max(Counter(rounds).values()) == 1
    assert rounds == sorted(rounds), "in the order in which they came"
    assert at_once == rounds[0]
    assert len(set(await rounds_until_prepared(executor, new))) == 1, "all are known now"


async def test_long_document_is_answered_over_http(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application:
        assert (await application.query(of_length(1_000)))["data"] == {"__typename": "Query"}
        errors = (await application.query("{ nothing }".ljust(1_000)))["errors"]
        assert [error["extensions"]["code"] for error in errors] == ["GRAPHQL_VALIDATION_FAILED"]


@pytest.mark.parametrize("query", ["{ nothing }", "{"])
def test_invalid_document_is_refused_from_the_cache(prepared_documents: Documents, query: str) -> None:
    first = prepared_documents.prepare(query, None)
    assert isinstance(first, Refusal)
    assert prepared_documents.prepare(query, None) is first


def test_cache_keeps_the_documents_used_last(prepared_documents: Documents) -> None:
    length = DOCUMENT_CHARACTERS_MAX - CHARACTERS_PER_DOCUMENT
    queries = [of_length(length, number) for number in range(CACHE_CHARACTERS_MAX // DOCUMENT_CHARACTERS_MAX + 1)]
    first, second, *others, last = queries
    prepared = {query: prepared_documents.prepare(query, None) for query in (first, second, *others)}
    assert prepared_documents.prepare(first, None) is prepared[first]
    prepared_documents.prepare(last, None)
    kept = [query for query, operation in prepared.items() if prepared_documents.prepare(query, None) is operation]
    assert first in kept
    assert second not in kept


@pytest.mark.parametrize(("surplus", "kept"), [(0, True), (1, False)])
def test_document_over_the_limit_is_not_kept(prepared_documents: Documents, surplus: int, kept: bool) -> None:
    query = of_length(DOCUMENT_CHARACTERS_MAX + surplus)
    first = prepared_documents.prepare(query, None)
    assert isinstance(first, PreparedOperation)
    assert (prepared_documents.prepare(query, None) is first) == kept


def test_names_without_an_operation_are_not_kept(prepared_documents: Documents) -> None:
    query = "query A { __typename }"
    assert prepared_documents.prepare(query, "A") is prepared_documents.prepare(query, "A")
    unknown = prepared_documents.prepare(query, "B")
    assert fault_and_code(unknown) == (Fault.REQUEST, "BAD_INPUT")
    assert prepared_documents.prepare(query, "B") is not unknown


@pytest.mark.parametrize(
    ("query", "name", "fault", "code"),
    [
        (None, None, Fault.REQUEST, "BAD_INPUT"),
        ("", None, Fault.REQUEST, "BAD_INPUT"),
        ("fragment F on Query { __typename }", None, Fault.REQUEST, "BAD_INPUT"),
        ("query A { __typename } query B { __typename }", None, Fault.DOCUMENT, "BAD_INPUT"),
        ("query A { __typename } query B { __typename }", "", Fault.REQUEST, "BAD_INPUT"),
        ("{ __typename }", "A", Fault.REQUEST, "BAD_INPUT"),
        ("mutation { nothing }", None, Fault.DOCUMENT, "WRITES_DISABLED"),
    ],
)
def test_request_without_an_operation_is_refused(
    prepared_documents: Documents, query: str | None, name: str | None, fault: Fault, code: str
) -> None:
    refusal = prepared_documents.prepare(query, name)
    assert isinstance(refusal, Refusal)
    assert (refusal.fault, (refusal.errors[0].extensions or {})["code"]) == (fault, code)


@pytest.mark.parametrize("first", [None, "A"])
def test_only_operation_is_prepared_once_whether_or_not_it_is_named(
    prepared_documents: Documents, first: str | None
) -> None:
    prepared = prepared_documents.prepare("query A { __typename }", first)
    assert isinstance(prepared, PreparedOperation)
    assert all(prepared_documents.prepare("query A { __typename }", name) is prepared for name in (None, "A"))


@pytest.mark.parametrize(
    ("name", "kind"), [("A", OperationType.QUERY), ("B", OperationType.SUBSCRIPTION), ("C", OperationType.MUTATION)]
)
def test_operation_is_found_by_its_name(name: str, kind: OperationType) -> None:
    schema = graphql_schema(build_schema({"": True}))
    query = SEVERAL.replace("nothing", 'delete(key: "a") { offset }')
    prepared = Documents(schema, DOCUMENT_LIMITS).prepare(query, name)
    assert isinstance(prepared, PreparedOperation)
    assert (prepared.name, prepared.type_name) == (name, kind.value)
    assert prepared.is_subscription == (name == "B")
    assert prepared.is_mutation == (name == "C")
