"""Keys of an issuer change while the service runs, and come from nowhere else."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from kvs_graphql.auth import KeySource
from kvs_graphql.auth import keys as keys_module
from kvs_graphql.auth.keys import is_fetchable
from tests.auth.issuer import ISSUER, Issuer, jwk, write_keys
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.runtime.servers import server


class Pages:
    """A server of JSON documents by their paths; it counts what is asked."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.asked: list[str] = []
        self.status = 200

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        body = orjson.dumps(self.documents.get(scope["path"]))
        headers = [(b"content-length", b"%d" % len(body)), (b"location", b"/elsewhere")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each unknown key lead to a look for new ones."""
    monkeypatch.setattr(keys_module, "_UNKNOWN_KEY_SECONDS", 0.0)


def source(**options: Any) -> KeySource:
    return KeySource(ISSUER, **{"url": None, "file": None, "refresh_seconds": NEVER_SECONDS, **options})


async def test_new_key_is_used_and_withdrawn_one_is_not_after_a_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    file = write_keys(tmp_path / "jwks.json", jwk("ES256", "old"))
    keys = source(file=file)
    assert await keys.key("old", "ES256") is not None
    before = keys.generation
    write_keys(file, jwk("ES256", "new", 1))
    assert await keys.key("new", "ES256") is not None
    assert await keys.key("old", "ES256") is None
    assert keys.generation > before


async def test_keys_are_read_again_without_being_asked_for(tmp_path: Path) -> None:
    file = write_keys(tmp_path / "jwks.json", jwk("ES256", "old"))
    keys = source(file=file, refresh_seconds=0.01)
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keys.run())
        while keys.generation < 1:  # noqa: ASYNC110 - the keys have no event for it
            await asyncio.sleep(0)
        write_keys(file, jwk("ES256", "new", 1))
        while keys.generation < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        running.cancel()


async def test_unknown_keys_lead_to_few_looks_for_new_ones() -> None:
    pages = Pages()
    pages.documents["/keys"] = {"keys": [Issuer().jwk()]}
    async with server(pages) as served:
        keys = source(url=f"http://127.0.0.1:{served.port}/keys")
        found = await asyncio.gather(*(keys.key(f"invented-{number}", "ES256") for number in range(50)))
        assert set(found) == {None}
        # Those who come one after the other share no reading.
        assert [await keys.key(f"later-{number}", "ES256") for number in range(5)] == [None] * 5
        assert await keys.key("k", "ES256") is not None
    assert pages.asked == ["/keys"]


async def test_issuer_tells_where_its_keys_are() -> None:
    pages = Pages()
    async with server(pages) as served:
        issuer = f"http://127.0.0.1:{served.port}"
        discovery = "/.well-known/openid-configuration"
        pages.documents[discovery] = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
        pages.documents["/keys"] = {"keys": [Issuer().jwk()]}
        keys = KeySource(issuer, url=None, file=None, refresh_seconds=NEVER_SECONDS)
        assert await keys.key("k", "ES256") is not None
        assert pages.asked == [discovery, "/keys"]
        pages.documents[discovery] = {"issuer": "https://evil.example", "jwks_uri": f"{issuer}/keys"}
        other = KeySource(issuer, url=None, file=None, refresh_seconds=NEVER_SECONDS)
        with capture_logs() as logged:
            assert await other.key("k", "ES256") is None
        assert "of another issuer" in logged[0]["reason"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pages: setattr(pages, "status", 302),
        lambda pages: setattr(pages, "status", 500),
        lambda pages: pages.documents.update({"/keys": []}),
        lambda pages: pages.documents.update({"/keys": {"keys": None}}),
        lambda pages: pages.documents.update({"/keys": {"keys": [], "more": "x" * 2_000_000}}),
        lambda pages: pages.documents.update({"/keys": {"keys": []}}),
    ],
    ids=["redirect", "error", "list", "null", "too large", "no keys"],
)
async def test_known_keys_stay_while_the_issuer_answers_with_something_else(
    spoil: Callable[[Pages], None], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    impatient(monkeypatch)
    pages = Pages()
    pages.documents["/keys"] = {"keys": [Issuer().jwk()]}
    async with server(pages) as served:
        keys = source(url=f"http://127.0.0.1:{served.port}/keys")
        assert await keys.key("k", "ES256") is not None
        spoil(pages)
        with capture_logs() as logged:
            assert await keys.key("unknown", "ES256") is None
        assert (await keys.key("k", "ES256") is not None) is ("no keys" not in request.node.name)
    assert len(logged) == 1
    assert set(pages.asked) == {"/keys"}, "no redirect is followed"


async def test_keys_are_not_fetched_where_others_could_change_them_on_the_way() -> None:
    pages = Pages()
    async with server(pages) as served:
        issuer = f"http://127.0.0.1:{served.port}"
        found = {"issuer": issuer, "jwks_uri": f"http://localhost.example:{served.port}/keys"}
        pages.documents["/.well-known/openid-configuration"] = found
        keys = KeySource(issuer, url=None, file=None, refresh_seconds=NEVER_SECONDS)
        with capture_logs() as logged:
            assert await keys.key("k", "ES256") is None
    assert [line["reason"] for line in logged] == ["keys come from https:// only, or from this machine"]


async def test_issuer_that_cannot_be_reached_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    impatient(monkeypatch)
    keys = source(file=tmp_path / "later.json")
    with capture_logs() as logged:
        assert await keys.key("k", "ES256") is None
    assert logged[0]["log_level"] == "warning"
    write_keys(tmp_path / "later.json", Issuer().jwk())
    assert await keys.key("k", "ES256") is not None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://issuer.example/keys", True),
        ("http://127.0.0.1:8080/keys", True),
        ("http://issuer.example/keys", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/keys", False),
        ("https:///keys", False),
        ("//issuer.example", False),
        ("", False),
    ],
)
def test_keys_come_over_tls_or_from_this_machine(url: str, expected: bool) -> None:
    assert is_fetchable(url) is expected
