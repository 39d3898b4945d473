"""Queries and event streams of the real clients, with the `Accept` headers and readers that they have by default."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.clients.pages import running
from tests.readme import at_url
from tests.serving import ServedTopic, serving_topic
from tests.transports import until_active

pytestmark = [pytest.mark.node, pytest.mark.asyncio(loop_scope="module")]

APOLLO = """
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
const link = new HttpLink({ uri: "http://127.0.0.1:8000/graphql" });
const client = new ApolloClient({ cache: new InMemoryCache(), link });
const run = (text) => client.query({ query: gql(text) });
"""
URQL = """
import { Client, cacheExchange, fetchExchange } from "@urql/core";
const url = "http://127.0.0.1:8000/graphql";
const client = new Client({ url, exchanges: [cacheExchange, fetchExchange], preferGetMethod: GET });
const run = (text) => client.query(text, {}).toPromise();
"""
RELAY = """
import { Environment, Network, RecordSource, Store } from "relay-runtime";
const network = Network.create(async ({ text }, variables) => {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ query: text, variables });
  return (await fetch("http://127.0.0.1:8000/graphql", { method: "POST", headers, body })).json();
});
const environment = new Environment({ network, store: new Store(new RecordSource()) });
const run = (text) =>
  environment.getNetwork().execute({ name: "Q", text, operationKind: "query" }, {}, {}).toPromise();
"""
GRAPHQL_TOOLS = """
import { buildHTTPExecutor } from "@graphql-tools/executor-http";
import { parse } from "graphql";
const execute = buildHTTPExecutor({ endpoint: "http://127.0.0.1:8000/graphql", useGETForQueries: GET });
const run = (text) => execute({ document: parse(text) });
"""
"""What Hive Gateway and GraphQL Mesh read other services with."""
QUERY = """
const { data, error, errors } = await run(`query Q { value(key: "a") { key } }`);
console.log(data.value.key, error ?? errors);
"""
APOLLO_BY_HASH = """
import { createHash } from "node:crypto";
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const link = new PersistedQueryLink({ sha256, useGETForHashedQueries: GET }).concat(
  new HttpLink({ uri: "http://127.0.0.1:8000/graphql" }),
);
const client = new ApolloClient({ cache: new InMemoryCache(), link });
const run = (text) => client.query({ query: gql(text) });
"""
URQL_BY_HASH = """
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
const url = "http://127.0.0.1:8000/graphql";
const persisted = persistedExchange({ preferGetForPersistedQueries: GET });
const client = new Client({ url, exchanges: [persisted, fetchExchange] });
const run = (text) => client.query(text, {}).toPromise();
"""
APOLLO_IN_BATCHES = """
import { ApolloClient, InMemoryCache, gql } from "@apollo/client";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
const link = new BatchHttpLink({ uri: "http://127.0.0.1:8000/graphql", headers: HEADERS });
const client = new ApolloClient({ cache: new InMemoryCache(), link });
const queries = ["a", "b"].map((key) => gql(`query Q { value(key: "${key}") { key } }`));
const failed = await Promise.allSettled(queries.map((query) => client.query({ query })));
for (const { reason } of failed) console.log(reason.message, reason.errors?.[0].extensions.code);
"""
URQL_EVENTS = """
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { pipe, subscribe } from "wonka";
const url = "http://127.0.0.1:8000/graphql";
const client = new Client({ url, exchanges: [cacheExchange, fetchExchange], fetchSubscriptions: true });
pipe(
  client.subscription(`subscription { value(key: "b") { json } }`, {}),
  subscribe(({ data }) => console.log(data?.value?.json)),
);
"""
GRAPHQL_TOOLS_EVENTS = """
const document = parse(`subscription { value(key: "b") { json } }`);
for await (const { data } of await execute({ document })) console.log(data.value?.json);
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("operations"), (b"a", b"1")) as topic:
        yield topic


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(APOLLO, id="Apollo"),
        pytest.param(URQL.replace("GET", "false"), id="urql"),
        pytest.param(URQL.replace("GET", '"force"'), id="urql by GET"),
        pytest.param(RELAY, id="Relay"),
        pytest.param(GRAPHQL_TOOLS.replace("GET", "false"), id="graphql-tools"),
        pytest.param(GRAPHQL_TOOLS.replace("GET", "true"), id="graphql-tools by GET"),
    ],
)
async def test_query_of_a_real_client_is_answered(npm_clients: Path, topic: ServedTopic, client: str) -> None:
    async with running(npm_clients, at_url(client + QUERY, topic.served.run.url)) as page:
        await page.logs("a", None)


@pytest.mark.parametrize("get", ["false", "true"], ids=["by POST", "by GET"])
@pytest.mark.parametrize("client", [pytest.param(APOLLO_BY_HASH, id="Apollo"), pytest.param(URQL_BY_HASH, id="urql")])
async def test_real_client_sends_the_document_where_its_hash_is_refused(
    npm_clients: Path, topic: ServedTopic, client: str, get: str
) -> None:
    code = at_url(client.replace("GET }", f"{get} }}"), topic.served.run.url)
    async with running(npm_clients, code + QUERY) as page:
        await page.logs("a", None)


@pytest.mark.parametrize(
    "headers", ["{}", '{ accept: "application/json" }'], ids=["as GraphQL's media type", "as JSON"]
)
async def test_error_of_a_batch_is_shown_by_the_client_that_sent_it(
    npm_clients: Path, topic: ServedTopic, headers: str
) -> None:
    code = at_url(APOLLO_IN_BATCHES.replace("HEADERS", headers), topic.served.run.url)
    async with running(npm_clients, code) as page:
        for _ in range(2):
            await page.logs("Batches of requests are not supported: send each request on its own.", "BAD_INPUT")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(URQL_EVENTS, id="urql"),
        pytest.param(GRAPHQL_TOOLS.replace("GET", "false") + GRAPHQL_TOOLS_EVENTS, id="graphql-tools"),
    ],
)
async def test_real_client_reads_an_event_stream(npm_clients: Path, topic: ServedTopic, code: str) -> None:
    await topic.write((b"b", b"1"))
    async with running(npm_clients, at_url(code, topic.served.run.url)) as page:
        await page.logs(1)
        await until_active(topic.served.http, 1, "sse")
        await topic.write((b"b", b"2"))
        await page.logs(2)
    await until_active(topic.served.http, 0)
