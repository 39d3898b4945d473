"""Browsers get the playground and its assets, and nothing from another host."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.web import pages
from tests.serving import Served, ServedTopic, serving_topic
from tests.web.posting import codes

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
BUILT = (pages.STATIC / "graphiql.html").is_file()
needs_build = pytest.mark.skipif(not BUILT, reason="the pages are not built: npm --prefix web run build")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("pages")) as topic:
        yield topic


@pytest.fixture
def served(topic: ServedTopic) -> Served:
    return topic.served


async def test_only_pages_of_listed_origins_may_show_the_pages_in_a_frame(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path, frame_ancestors="https://a.example, 'self'") as topic:
        for path in ("/graphql", "/"):
            page = await topic.served.http.get(path, headers=BROWSER, follow_redirects=True)
            assert page.headers["content-security-policy"].endswith("; frame-ancestors https://a.example 'self'")


def compressed_script() -> str:
    """Return the name of a built script that is compressed, too."""
    return min(path.stem for path in (pages.STATIC / "assets").glob("*.js.gz"))


@pytest.mark.parametrize("address", ["/graphql", "/graphql?query=" + quote("{ __typename }")])
async def test_browser_gets_the_playground_or_how_to_build_it(served: Served, address: str) -> None:
    page = await served.http.get(address, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["vary"] == "Accept"
    assert ("GraphiQL" if BUILT else "npm --prefix web run build") in page.text


async def test_page_may_load_nothing_from_other_hosts_and_be_framed_by_none(served: Served) -> None:
    policy = (await served.http.get("/graphql", headers=BROWSER)).headers["content-security-policy"]
    rules = {name: sources for name, *sources in (rule.split() for rule in policy.split(";"))}
    assert rules["default-src"] == rules["script-src"] == ["'self'"]
    assert rules["frame-ancestors"] == ["'none'"]
    # Where it is itself, a page may open WebSockets too; `ws:` would allow those of any host.
    assert rules["connect-src"] == ["'self'"]
    assert not [source for sources in rules.values() for source in sources if "//" in source or source == "*"]


async def test_program_gets_graphql_where_a_browser_gets_the_playground(served: Served) -> None:
    for accept in ("*/*", "text/html;q=0, */*"):
        answer = await served.http.get("/graphql", params={"query": "{ __typename }"}, headers={"accept": accept})
        assert answer.json() == {"data": {"__typename": "Query"}}


async def test_playground_can_be_switched_off(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with serving_topic(embedded_broker, tmp_path, graphiql=False) as topic:
        parameters = {"query": "{ __typename }"}
        answer = await topic.served.http.get("/graphql", params=parameters, headers=BROWSER)
        assert answer.json() == {"data": {"__typename": "Query"}}


async def test_front_page_is_the_dashboard_or_redirects_to_the_playground(served: Served) -> None:
    answer = await served.http.get("/", headers=BROWSER)
    if (pages.STATIC / "dashboard.html").is_file():
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    else:
        assert (answer.status_code, answer.headers["location"]) == (307, "graphql")


@needs_build
@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "identity"])
async def test_asset_is_immutable_and_compressed_for_clients_that_accept_it(served: Served, accepted: str) -> None:
    address = f"/assets/{compressed_script()}"
    plain = (pages.STATIC / "assets" / compressed_script()).read_bytes()
    async with served.http.stream("GET", address, headers={"accept-encoding": accepted}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"
    if accepted == "identity":
        assert "content-encoding" not in answer.headers
        assert raw == plain
    else:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == plain


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
@pytest.mark.parametrize("name", ["n" * 255, "n" * 4_000, "a/" * 2_000, "%00", "%ff", "..%2f", "nothing.js"])
async def test_name_that_no_asset_can_have_is_404_with_a_code(served: Served, name: str, accepted: str) -> None:
    with capture_logs() as logged:
        answer = await served.http.get(f"/assets/{name}", headers={"accept-encoding": accepted})
    assert (answer.status_code, codes(answer), logged) == (404, ["BAD_INPUT"], [])


@needs_build
@pytest.mark.parametrize("ranges", ["bytes=0-0", "bytes=5-1", "bytes=x", "bytes=999999999-", "lines=1-2"])
@pytest.mark.parametrize("of_page", [True, False], ids=["page", "asset"])
async def test_file_is_sent_whole_whatever_part_is_asked_for(served: Served, ranges: str, of_page: bool) -> None:
    address = "/" if of_page else f"/assets/{compressed_script()}"
    answer = await served.http.get(address, headers={"range": ranges} | BROWSER)
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "none")
    assert answer.content == (await served.http.get(address, headers=BROWSER)).content


@needs_build
async def test_client_that_refuses_gzip_gets_no_compressed_asset(served: Served) -> None:
    address = f"/assets/{compressed_script()}"
    answer = await served.http.get(address, headers={"accept-encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in answer.headers


@needs_build
async def test_page_loads_only_assets_that_exist(served: Served) -> None:
    page = await served.http.get("/graphql", headers=BROWSER)
    addresses = re.findall(r'(?:src|href)="([^"#]*/[^"]*)"', page.text)
    assert len(addresses) >= 2
    for address in addresses:
        assert (await served.http.head(page.url.join(address))).status_code == 200
