"""A service that others could reach serves nobody by accident."""

from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.auth import hash_of
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import BadSetting
from kvs_graphql.runtime.access import authenticator_for, check_exposure
from kvs_graphql.settings import load_settings
from tests.auth.issuer import AUDIENCE, ISSUER
from tests.serving import serving_topic

EVERYWHERE = ["0.0.0.0", "::", "10.0.0.1", "kvs.example"]  # noqa: S104
TOKENS = {"tokens": (f"ann:{hash_of('token')}",)}
JWTS = {"jwt_issuer": ISSUER, "jwt_audience": (AUDIENCE,)}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


async def test_start_where_others_could_read_everything_is_refused_in_one_line(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    with pytest.raises(BadSetting) as refused:
        async with serving_topic(embedded_broker, tmp_path, host=EVERYWHERE[0]):
            pass
    assert str(refused.value) == (
        "KVS_HOST=0.0.0.0: others could read everything. Set KVS_TOKENS or KVS_JWT_ISSUER, or "
        "KVS_ALLOW_ANONYMOUS=true if they may"
    )
    async with serving_topic(
        embedded_broker, tmp_path, (b"a", b"1"), host=EVERYWHERE[0], allow_anonymous=True
    ) as topic:
        assert await topic.served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}


@pytest.mark.parametrize("host", EVERYWHERE)
@pytest.mark.parametrize("said", [TOKENS, JWTS, {"allow_anonymous": True}], ids=["tokens", "JWTs", "anonymous"])
def test_any_address_is_served_where_it_is_said_who_may_ask(host: str, said: dict[str, Any]) -> None:
    check_exposure(load_settings(host=host, **said))
    with pytest.raises(BadSetting):
        check_exposure(load_settings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_needs_no_authentication(host: str) -> None:
    settings = load_settings(host=host)
    check_exposure(settings)
    assert authenticator_for(settings) is None


@pytest.mark.parametrize("said", [TOKENS, JWTS])
def test_anonymous_clients_are_served_beside_known_ones_only_if_that_is_said(said: dict[str, Any]) -> None:
    known, both = (authenticator_for(load_settings(**said, allow_anonymous=anonymous)) for anonymous in (False, True))
    assert known is not None
    assert both is not None
    assert (known.anonymous is None, both.anonymous is None) == (True, False)
