"""The routes, which origins may read them, and unexpected errors of pages."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.service import Readiness, Table
from tests.applications import open_application
from tests.serving import Served, serving_topic
from tests.transports import TRANSPORT_WS
from tests.web.calls import app_of, call
from tests.web.posting import codes

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED = "https://pages.example"
SDL = Path(__file__).parents[2] / "schema.graphql"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("app"), (b"a", b"1")) as topic:
        yield topic.served


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/graphql"), ("OPTIONS", "/graphql"), ("POST", "/healthz")])
async def test_unknown_method_is_405_and_names_the_allowed_ones(served: Served, method: str, path: str) -> None:
    answer = await served.http.request(method, path)
    assert (answer.status_code, codes(answer)) == (405, ["BAD_INPUT"])
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/nothing", "/assets/nothing.js", "/assets/", "/assets/..%2fgraphiql.html"])
async def test_unknown_path_is_404_with_a_code(served: Served, path: str) -> None:
    answer = await served.http.get(path)
    assert (answer.status_code, codes(answer)) == (404, ["BAD_INPUT"])


async def test_schema_is_served_without_mutations(served: Served) -> None:
    answer = await served.http.get("/schema.graphql")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "type Query {\n" in answer.text
    assert "type Mutation" not in answer.text


async def test_schema_of_a_service_with_writes_is_that_of_the_repository(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path, enable_writes=True) as topic:
        answer = await topic.served.http.get("/schema.graphql")
    assert answer.text == SDL.read_text()


async def test_other_origins_may_not_read_answers(served: Served) -> None:
    preflight = await served.http.options("/graphql", headers=PREFLIGHT | {"origin": ALLOWED})
    answer = await served.http.get("/graphql", params={"query": "{ __typename }"}, headers={"origin": ALLOWED})
    assert preflight.status_code == 405
    assert [name for name in (*preflight.headers, *answer.headers) if name.startswith("access-control")] == []


async def test_only_listed_origins_may_read_answers(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with serving_topic(embedded_broker, tmp_path, cors_origins=(ALLOWED,)) as topic:
        http = topic.served.http
        preflight = await http.options("/graphql", headers=PREFLIGHT | {"origin": ALLOWED})
        answer = await http.get("/graphql", params={"query": "{ __typename }"}, headers={"origin": ALLOWED})
        assert preflight.status_code == 200
        assert "content-type" in preflight.headers["access-control-allow-headers"]
        for allowed in (preflight, answer):
            assert allowed.headers["access-control-allow-origin"] == ALLOWED
            assert "access-control-allow-credentials" not in allowed.headers
        other = PREFLIGHT | {"origin": "https://evil.example"}
        refused = await http.options("/graphql", headers=other)
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers


SENT_BY_CLIENTS = [
    "Content-Type, Authorization",
    "apollographql-client-name,apollographql-client-version,content-type",
    "apollo-require-preflight,content-type,x-apollo-operation-name",
    "traceparent, tracestate, baggage, sentry-trace",
]


@pytest.mark.parametrize("headers", SENT_BY_CLIENTS)
async def test_pages_of_allowed_origins_may_send_what_clients_send(
    embedded_broker: EmbeddedBroker, tmp_path: Path, headers: str
) -> None:
    async with serving_topic(embedded_broker, tmp_path, cors_origins=(ALLOWED,)) as topic:
        asked = {"origin": ALLOWED, "access-control-request-method": "POST"}
        preflight = await topic.served.http.options(
            "/graphql", headers=asked | {"access-control-request-headers": headers}
        )
        assert preflight.status_code == 200
        allowed = {name.strip().lower() for name in preflight.headers["access-control-allow-headers"].split(",")}
        assert {name.strip().lower() for name in headers.split(",")} <= allowed


@pytest.mark.parametrize(
    ("more", "asked", "status"), [((), "x-team", 400), (("X-Team", "X-Trace"), "x-team", 200), (("*",), "any", 200)]
)
async def test_further_headers_are_allowed_by_a_setting(
    embedded_broker: EmbeddedBroker, tmp_path: Path, more: tuple[str, ...], asked: str, status: int
) -> None:
    async with serving_topic(embedded_broker, tmp_path, cors_origins=(ALLOWED,), cors_headers=more) as topic:
        headers = {"origin": ALLOWED, "access-control-request-method": "POST", "access-control-request-headers": asked}
        assert (await topic.served.http.options("/graphql", headers=headers)).status_code == status


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_credentials_are_allowed_by_a_setting(
    embedded_broker: EmbeddedBroker, tmp_path: Path, accept: str
) -> None:
    async with serving_topic(embedded_broker, tmp_path, cors_origins=(ALLOWED,), cors_credentials=True) as topic:
        http = topic.served.http
        preflight = await http.options("/graphql", headers=PREFLIGHT | {"origin": ALLOWED})
        sent = {"origin": ALLOWED, "cookie": "session=1", "accept": accept}
        answer = await http.get("/graphql", params={"query": "{ __typename }"}, headers=sent)
        for allowed in (preflight, answer):
            assert allowed.headers["access-control-allow-origin"] == ALLOWED
            assert allowed.headers["access-control-allow-credentials"] == "true"
        other = await http.get(
            "/graphql", params={"query": "{ __typename }"}, headers=sent | {"origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("root", ["/kvs", "/a/b"])
async def test_everything_is_served_under_a_prefix_and_without_it(
    embedded_broker: EmbeddedBroker, tmp_path: Path, root: str
) -> None:
    async with serving_topic(embedded_broker, tmp_path, root_path=root) as topic:
        http = topic.served.http
        for prefix in (root, ""):
            for path in ("/", "/graphql", "/healthz", "/readyz", "/metrics", "/schema.graphql"):
                answer = await http.get(prefix + path, headers={"accept": "text/html"}, follow_redirects=True)
                assert answer.status_code == 200
                assert answer.url.path.startswith(prefix)
            answer = await http.post(f"{prefix}/graphql", json={"query": "{ __typename }"})
            assert answer.json() == {"data": {"__typename": "Query"}}
            socket_url = f"{topic.served.run.url}{prefix}/graphql".replace("http", "ws", 1)
            async with connect(socket_url, subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None) as socket:
                await socket.send('{"type": "connection_init"}')
                assert await socket.recv() == '{"type":"connection_ack"}'
        for path in (f"{root}x/healthz", f"{root}/nothing", "/elsewhere/healthz"):
            assert (await http.get(path)).status_code == 404


async def test_page_under_a_prefix_loads_its_assets_from_there(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with serving_topic(embedded_broker, tmp_path, root_path="/kvs") as topic:
        for path in ("/kvs?key=a", "/kvs/", "/kvs/graphql"):
            page = await topic.served.http.get(path, headers={"accept": "text/html"}, follow_redirects=True)
            assert page.url.path in {"/kvs/", "/kvs/graphql"}
            assert page.url.query in {b"", b"key=a"}
            for address in re.findall(r'(?:src|href)="([^"#]*/[^"]*)"', page.text):
                asset = page.url.join(address)
                assert asset.path.startswith("/kvs/")
                assert (await topic.served.http.get(asset)).status_code == 200


@pytest.mark.parametrize("root", ["", "/kvs"])
async def test_no_redirect_names_a_host_or_leaves_a_prefix(
    embedded_broker: EmbeddedBroker, tmp_path: Path, root: str
) -> None:
    async with serving_topic(embedded_broker, tmp_path, root_path=root, allowed_hosts=("*",)) as topic:
        for path in ("", "/", "/graphql", "/graphql/", "/healthz/", "/assets", "/assets/", "//evil.example/"):
            answer = await topic.served.http.get(
                f"{root}{path}" or "/", headers={"host": "evil.example", "accept": "text/html"}
            )
            assert answer.status_code in {200, 307, 404}
            assert answer.headers.get("location", "relative/")[0] not in "/h"


class BrokenTable(Table):
    """Cannot tell how it is."""

    def readiness(self) -> Readiness:
        raise RuntimeError("swordfish")


async def test_unexpected_error_of_a_page_is_masked_and_does_not_reach_the_server(tmp_path: Path) -> None:
    async with open_application(tmp_path, table=BrokenTable) as application:
        with capture_logs() as logged:
            answer = await call(app_of(application), "GET", "/readyz")
        (error,) = answer.json()["errors"]
        assert (answer.status, error["extensions"]["code"]) == (500, "INTERNAL")
        assert [line["id"] for line in logged] == [error["extensions"]["id"]]
        assert "swordfish" not in str(error)
        assert application.counted("kvs_errors_total", code="INTERNAL") == 1
