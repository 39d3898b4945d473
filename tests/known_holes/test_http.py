"""Requests whose charset, range, Host or path others took for something else."""

import codecs
from pathlib import Path

import pytest

from kvs_graphql.web import pages
from tests.known_holes.asking import is_well, raw
from tests.known_holes.conftest import TOKEN
from tests.serving import Served
from tests.transports import MULTIPART_ACCEPT
from tests.web.posting import JSON, codes

pytestmark = pytest.mark.asyncio(loop_scope="package")

CHARSETS = [
    "utf-7",
    "utf-16",
    "utf-16le",
    "utf-32",
    "ebcdic-cp-us",
    "cp037",
    "iso-2022-jp",
    "gb18030",
    "hex",
    "rot13",
    "x",
]
WRITE = '{"query": "mutation { set(key: \\"charset\\", value: \\"1\\") { offset } }"}'


@pytest.mark.parametrize("charset", [*CHARSETS, "utf-8'", "utf-8,utf-16", "'utf-8'", "x" * 5_000])
@pytest.mark.parametrize("accept", [JSON, "text/event-stream", MULTIPART_ACCEPT])
async def test_charset_is_never_another_one(served: Served, charset: str, accept: str) -> None:
    try:
        body = WRITE.encode(charset)
    except (LookupError, UnicodeError):
        body = WRITE.encode()
    headers = {"content-type": f"application/json; charset={charset}", "accept": accept}
    answer = await served.http.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, codes(answer)) == (415, ["BAD_INPUT"])
    assert (await served.data('{ value(key: "charset") { value } }'))["value"] is None


@pytest.mark.parametrize(
    "encoded", [codecs.BOM_UTF16 + WRITE.encode("utf-16"), WRITE.encode("utf-32"), b"\xff\xfe\x00" * 9]
)
async def test_other_charsets_without_a_name_are_no_json(served: Served, encoded: bytes) -> None:
    answer = await served.http.post("/graphql", content=encoded, headers={"content-type": JSON})
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])


@pytest.mark.parametrize(
    "ranges",
    [
        "bytes=" + ",".join(f"{n}-" for n in range(9_000)),
        "bytes=0-0," * 5_000,
        "bytes=5-1",
        "bytes=-",
        "bytes=0-" + "9" * 5_000,
    ],
    ids=lambda ranges: ranges[:20],
)
@pytest.mark.parametrize("path", ["/", "/graphql", "/metrics", "/schema.graphql", "/healthz"])
async def test_ranges_are_not_looked_at(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, ranges: str
) -> None:
    """Merging thousands of them took quadratic time."""
    for page in ("dashboard.html", "graphiql.html"):
        (tmp_path / page).write_text("<!doctype html>" + "x" * 100_000)
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    headers = {"accept": "text/html" if path in {"/", "/graphql"} else "*/*"}
    whole = await served.http.get(path, headers=headers)
    asked = await served.http.get(path, headers=headers | {"range": ranges})
    assert asked.status_code == whole.status_code == 200
    assert "content-range" not in asked.headers
    assert path == "/metrics" or asked.content == whole.content


HOSTS = [
    b"localhost/healthz?",
    b"localhost/healthz#",
    b"localhost:8000/healthz",
    b"x@localhost",
    b"localhost\\@evil.example",
    b"localhost:80:80",
    b"[::1",
    b"localhost, evil.example",
    b"localhost evil.example",
    b"\xff",
    b"%6cocalhost",
    b"localhost%00.evil.example",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", [b"/metrics", b"/schema.graphql", b"/graphql?query={__typename}", b"/readyz"])
async def test_host_header_makes_no_other_path(guarded: Served, host: bytes, path: bytes) -> None:
    """Rules that looked at the address, as put together from `Host` and path, saw another path than the routes."""
    answer = await raw(guarded, b"GET %b HTTP/1.1" % path, b"host: " + host, b"accept: application/json")
    assert answer.split()[1] in {b"421", b"400"}, answer
    assert b"kvs_" not in answer
    assert b"type Query" not in answer


@pytest.mark.parametrize(
    "target",
    [
        b"@evil.example/",
        b"@evil.example/metrics",
        b"metrics",
        b"//evil.example/metrics",
        b"/\\evil.example/metrics",
        b"http://evil.example/metrics",
        b"https://evil.example",
        b"evil.example:443",
        b"*",
        b"/./metrics",
        b"/healthz/../metrics",
        b"/healthz/%2e%2e/metrics",
        b"/metrics/",
        b"/assets/../metrics",
        b"/assets/%2e%2e/%2e%2e/pyproject.toml",
        b"/assets//etc/passwd",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS", b"HEAD", b"CONNECT"])
async def test_request_target_leads_nowhere_else(guarded: Served, method: bytes, target: bytes) -> None:
    """A path without a slash at its beginning became a part of the host's name in the address."""
    answer = await raw(guarded, b"%b %b HTTP/1.1" % (method, target), b"host: localhost", b"accept: application/json")
    status = int(answer.split()[1])
    assert status in {204, 307, 400, 401, 404, 405, 421}, answer
    assert b"evil.example" not in answer.partition(b"\r\n\r\n")[0]
    for secret in (b"kvs_operations", b"[project]", b"root:"):
        assert secret not in answer
    assert await is_known(guarded)


async def is_known(guarded: Served) -> bool:
    headers = {"authorization": f"Bearer {TOKEN}"}
    return (await guarded.http.get("/metrics", headers=headers)).status_code == 200


async def test_service_is_well_after_all_that(served: Served) -> None:
    assert await is_well(served)
