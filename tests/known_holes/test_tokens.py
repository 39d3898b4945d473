"""Tokens that other verifiers took for valid, on every transport."""

import asyncio
import json
import time
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, forged, private_key
from tests.deadline import SECONDS_MAX
from tests.known_holes.asking import TRANSPORTS, ask, begin, socket
from tests.known_holes.conftest import ISSUERS
from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="package")

QUERY = '{ value(key: "a") { value } }'
FORGER = Issuer(number=7)


def signed(header: dict[str, Any], issuer: Issuer = ISSUERS[0]) -> str:
    """A token with exactly that header, signed with an issuer's key and its own algorithm, whatever the header says."""
    now = time.time()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now - 1, "exp": now + 3600}
    unsigned = forged(header, claims).rstrip(".")
    algorithm = jwt.get_algorithm_by_name(issuer.algorithm)
    return forged(header, claims, algorithm.sign(unsigned.encode(), private_key(issuer.algorithm, issuer.number)))


def embedded(key_id: str | None) -> str:
    """A token of somebody else, with the key to verify it in its header."""
    header = {"alg": "ES256", "typ": "JWT", "jwk": FORGER.jwk()}
    return signed(header | ({} if key_id is None else {"kid": key_id}), FORGER)


TOKENS = {
    "an extension that it says must be understood": signed({"alg": "ES256", "kid": "k", "crit": ["x"], "x": 1}),
    "an extension that libraries know": signed({"alg": "ES256", "kid": "k", "crit": ["b64"], "b64": True}),
    "an extension, of none": signed({"alg": "ES256", "kid": "k", "crit": []}),
    "another algorithm than the one in its header": signed({"alg": "ES256", "kid": "strong"}, ISSUERS[1]),
    "an algorithm that is not allowed": signed({"alg": "ES384", "kid": "strong"}, ISSUERS[1]),
    "an old algorithm that is not allowed": signed({"alg": "RS256", "kid": "old"}, ISSUERS[2]),
    "an old algorithm under another name": signed({"alg": "ES256", "kid": "old"}, ISSUERS[2]),
    "its own key, by an id that nobody knows": embedded("unknown"),
    "its own key, by an id that is known": embedded("k"),
    "its own key, without an id": embedded(None),
    "its own key behind an address": signed(
        {"alg": "ES256", "kid": "unknown", "jku": "https://evil.example/keys", "x5u": "https://evil.example/x"}, FORGER
    ),
    "no signature": forged({"alg": "none", "kid": "k"}, json.loads('{"sub": "ann"}')),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", TOKENS)
async def test_token_is_refused_on_every_transport(guarded: Served, transport: str, name: str) -> None:
    if transport == "websocket":
        with pytest.raises(InvalidStatus) as refused:
            await ask(guarded, transport, QUERY, token=TOKENS[name])
        assert refused.value.response.status_code == 401
    else:
        found = await ask(guarded, transport, QUERY, token=TOKENS[name])
        assert found.codes == {"UNAUTHENTICATED"}


@pytest.mark.parametrize("name", TOKENS)
async def test_token_is_refused_in_the_first_message_of_a_websocket(guarded: Served, name: str) -> None:
    async with asyncio.timeout(SECONDS_MAX), socket(guarded) as opened:
        with pytest.raises(ConnectionClosed) as closed:
            await begin(opened, {"authorization": f"Bearer {TOKENS[name]}"})
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_token_of_the_issuer_is_good_on_every_transport(guarded: Served, transport: str) -> None:
    for token in (ISSUERS[0].token(), signed({"alg": "ES256", "kid": "k"})):
        assert '"value":"1"' in (await ask(guarded, transport, QUERY, token=token)).text
