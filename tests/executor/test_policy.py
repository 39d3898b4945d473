"""Which documents are executed, and what errors tell about the schema."""

import hashlib
from unittest.mock import Mock

import pytest

from kvs_graphql.api import build_schema
from kvs_graphql.executor import DocumentPolicy, Executor, PreparedOperation, Refusal, Request, check_hashes
from kvs_graphql.executor.limits import ExecutorLimits
from kvs_graphql.metrics import Metrics
from tests.applications import BUDGET_LIMITS, DOCUMENT_LIMITS

TRUSTED = "{ status { ready } }"
HASH = hashlib.sha256(TRUSTED.encode()).hexdigest()
SCHEMA = build_schema({"": True})


def executor(policy: DocumentPolicy) -> Executor:
    limits = ExecutorLimits(DOCUMENT_LIMITS, BUDGET_LIMITS, 1_000, 1_000, 60.0, policy)
    return Executor(SCHEMA, limits, Metrics())


def code(prepared: PreparedOperation | Refusal) -> str:
    assert isinstance(prepared, Refusal)
    (found,) = {(error.extensions or {})["code"] for error in prepared.errors}
    return str(found)


@pytest.mark.parametrize("document_id", [HASH, f"sha256:{HASH}", "by-name"])
@pytest.mark.parametrize("only", [False, True])
async def test_trusted_document_is_executed_by_its_id(document_id: str, only: bool) -> None:
    policy = DocumentPolicy(trusted={HASH: TRUSTED, "by-name": TRUSTED}, trusted_only=only)
    prepared = executor(policy).prepare(Request(None, document_id=document_id))
    assert isinstance(prepared, PreparedOperation)


async def test_id_of_no_trusted_document_is_told_so_that_the_client_sends_the_document() -> None:
    assert code(executor(DocumentPolicy()).prepare(Request(None, document_id=HASH))) == "PERSISTED_QUERY_NOT_SUPPORTED"
    policy = DocumentPolicy(trusted={HASH: TRUSTED})
    assert code(executor(policy).prepare(Request(None, document_id=HASH[1:]))) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize("query", ["{ __typename }", f"{TRUSTED} ", "{", "query {" + "__typename " * 500 + "}"])
async def test_other_documents_are_refused_where_only_trusted_ones_are_executed(query: str) -> None:
    only = executor(DocumentPolicy(trusted={HASH: TRUSTED}, trusted_only=True))
    besides = executor(DocumentPolicy(trusted={HASH: TRUSTED}))
    for _ in range(2):
        assert code(only.prepare(Request(query))) == "FORBIDDEN"
        assert code(await only.prepare_aside(Request(query))) == "FORBIDDEN"
    assert isinstance(only.prepare(Request(TRUSTED)), PreparedOperation)
    if "typename" in query:
        assert isinstance(besides.prepare(Request(query)), PreparedOperation)


@pytest.mark.parametrize("query", ["{ __schema { types { name } } }", '{ a: __type(name: "Query") { name } }'])
async def test_introspection_can_be_switched_off(query: str) -> None:
    assert isinstance(executor(DocumentPolicy()).prepare(Request(query)), PreparedOperation)
    off = executor(DocumentPolicy(introspection=False))
    assert code(off.prepare(Request(query))) == "GRAPHQL_VALIDATION_FAILED"
    fragment = f"query {{ ...F }} fragment F on Query {query}"
    assert code(off.prepare(Request(fragment))) == "GRAPHQL_VALIDATION_FAILED"
    assert isinstance(off.prepare(Request("{ __typename status { __typename } }")), PreparedOperation)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ statu { ready } }", {}),
        ("{ status { read } }", {}),
        ('{ value(kei: "a") { value } }', {}),
        ('{ value(key: "a", keyEncoding: UTF) { value } }', {}),
        ("{ ... on Quer { status { ready } } }", {}),
        ('query($e: Encoding!) { value(key: "a", keyEncoding: $e) { value } }', {"e": "UTF"}),
        ('mutation($h: [HeaderInput!]) { set(key: "a", value: "b", headers: $h) { offset } }', {"h": [{"kei": "a"}]}),
    ],
)
async def test_suggestions_can_be_switched_off(query: str, variables: dict[str, object]) -> None:
    messages = {}
    for suggestions in (True, False):
        made = executor(DocumentPolicy(suggestions=suggestions))
        prepared = made.prepare(Request(query))
        if isinstance(prepared, PreparedOperation):
            prepared = await refused_variables(made, prepared, variables)
        messages[suggestions] = " ".join(error.message for error in prepared.errors)
    assert "Did you mean" in messages[True]
    assert "Did you mean" not in messages[False]
    assert messages[False], "what is wrong is still told"


async def refused_variables(executor: Executor, prepared: PreparedOperation, variables: dict[str, object]) -> Refusal:
    """The refusal of values of variables, for which nothing else is asked."""
    refused = await executor.execute(prepared, variables, Mock())
    assert isinstance(refused, Refusal)
    return refused


@pytest.mark.parametrize("document_id", [HASH[:-1] + "x", "0" * 64, f"sha256:{HASH[:-1]}", "sha256:"])
def test_hash_of_another_document_is_found(document_id: str) -> None:
    is_hash = document_id.startswith("sha256:") or document_id == "0" * 64
    assert check_hashes({HASH: TRUSTED, document_id: TRUSTED}) == (document_id if is_hash else None)
