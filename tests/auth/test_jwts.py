"""Which JWTs are valid: what RFC 8725 and the holes of other verifiers are about."""

import hashlib
import hmac
import json
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kvs_graphql.auth import JwtOptions, JwtVerifier, KeySource
from kvs_graphql.errors import Unauthenticated
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, forged, jwk, private_key, write_keys

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
SKEW_SECONDS = 1000.0
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": time.time() + 3600}


class In(NamedTuple):
    """A time so many seconds from now, when the test runs."""

    seconds: float


def as_claims(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: time.time() + value.seconds if isinstance(value, In) else value for name, value in claims.items()}


FOREIGN = jwk("ES256", "foreign", 7)


def verifier(path: Path, *keys: dict[str, Any], algorithms: tuple[str, ...] = ALGORITHMS) -> JwtVerifier:
    source = KeySource(ISSUER, url=None, file=write_keys(path / "jwks.json", *keys), refresh_seconds=3600.0)
    return JwtVerifier(JwtOptions(ISSUER, (AUDIENCE, "other"), algorithms, SKEW_SECONDS), source)


async def refused(verifier: JwtVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await verifier.claims(token)
    assert str(error.value) in {"The token is not valid.", "The token has expired."}
    return str(error.value.details["reason"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("key_id", ["k", None])
async def test_token_of_the_issuer_is_valid(tmp_path: Path, algorithm: str, key_id: str | None) -> None:
    issuer = Issuer(algorithm, key_id=key_id)
    assert (await verifier(tmp_path, issuer.jwk()).claims(issuer.token()))["sub"] == "ann"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["else", AUDIENCE]},
        {"aud": "other"},
        {"exp": In(500 - SKEW_SECONDS)},
        {"nbf": In(SKEW_SECONDS - 500)},
        {"iat": In(SKEW_SECONDS - 500)},
        {"iat": None, "sub": None},
    ],
    ids=str,
)
async def test_claims_that_fit_are_accepted_within_the_skew_of_clocks(tmp_path: Path, claims: dict[str, Any]) -> None:
    assert await verifier(tmp_path, Issuer().jwk()).claims(Issuer().token(**as_claims(claims)))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example/"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "kv"},
        {"aud": None},
        {"aud": []},
        {"exp": In(-SKEW_SECONDS - 500)},
        {"exp": None},
        {"exp": "never"},
        {"exp": 10**400},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": True},
        {"nbf": In(SKEW_SECONDS + 600)},
        {"iat": In(SKEW_SECONDS + 600)},
    ],
    ids=lambda claims: str(claims)[:60],
)
async def test_claims_that_do_not_fit_are_refused(tmp_path: Path, claims: dict[str, Any]) -> None:
    await refused(verifier(tmp_path, Issuer().jwk()), Issuer().token(**as_claims(claims)))


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "..", "\ud800.b.c", "é.é.é", "." * 10_000, "W10.W10.", "bnVsbA.e30."]
)
async def test_what_is_no_token_is_refused(tmp_path: Path, token: str) -> None:
    await refused(verifier(tmp_path, Issuer().jwk()), token)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 1, ["ES256"]], ids=repr)
async def test_token_without_a_signature_is_refused(tmp_path: Path, algorithm: object) -> None:
    await refused(verifier(tmp_path, Issuer().jwk()), forged({"alg": algorithm, "kid": "k"}, CLAIMS))


@pytest.mark.parametrize("symmetric", ["HS256", "HS512"])
async def test_public_key_is_no_secret_to_sign_with(tmp_path: Path, symmetric: str) -> None:
    """Algorithm confusion: the verifier's public key as the secret of an HMAC."""
    public = private_key("RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing = forged({"alg": symmetric, "kid": "k"}, CLAIMS)[:-1]
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[symmetric]
    token = forged({"alg": symmetric, "kid": "k"}, CLAIMS, hmac.new(public, signing.encode(), digest).digest())
    oct_key = {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k", "alg": symmetric}
    assert "not allowed" in await refused(verifier(tmp_path, jwk("RS256")), token)
    allowed = verifier(tmp_path, jwk("RS256"), oct_key, algorithms=("RS256", symmetric))
    assert "no such key" in await refused(allowed, token), "even where somebody allows it"


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": FOREIGN},
        {"jwk": FOREIGN, "kid": "foreign"},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1"},
        {"kid": ""},
    ],
    ids=lambda header: ",".join(f"{name}={str(value)[:10]}" for name, value in header.items()),
)
async def test_no_key_is_taken_from_the_header_of_a_token(tmp_path: Path, header: dict[str, Any]) -> None:
    forger = Issuer(number=7)
    await refused(verifier(tmp_path, Issuer().jwk(), jwk("ES384", "other")), forger.token(header))


@pytest.mark.parametrize("crit", [["exp"], ["b64"], ["http://example.com/unknown"], [], "exp"])
async def test_token_that_demands_an_extension_is_refused(tmp_path: Path, crit: object) -> None:
    key = private_key("ES256")
    header = json.dumps({"alg": "ES256", "kid": "k", "crit": crit, "exp": 1})
    token = forged(json.loads(header), CLAIMS)
    signature = jwt.get_algorithm_by_name("ES256").sign(token.rstrip(".").encode(), key)
    signed = forged(json.loads(header), CLAIMS, signature)
    await refused(verifier(tmp_path, Issuer().jwk()), signed)
    assert await verifier(tmp_path, Issuer().jwk()).claims(Issuer().token())


async def test_signature_is_compared_with_all_that_was_signed(tmp_path: Path) -> None:
    made = verifier(tmp_path, Issuer().jwk())
    header, claims, signature = Issuer().token().split(".")
    _, others, other_signature = Issuer(number=1).token(sub="eve").split(".")
    for token in (f"{header}.{others}.{signature}", f"{header}.{claims}.{other_signature}", f"{header}.{claims}."):
        await refused(made, token)


@pytest.mark.parametrize(
    "members", [{"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES384"}, {"kid": "another"}, {"kty": "RSA"}, {"x": "?"}]
)
async def test_key_for_another_purpose_verifies_nothing(tmp_path: Path, members: dict[str, Any]) -> None:
    await refused(verifier(tmp_path, Issuer().jwk(**members)), Issuer().token())


async def test_token_without_a_key_id_is_refused_where_several_keys_fit(tmp_path: Path) -> None:
    made = verifier(tmp_path, jwk("ES256", "one", 1), jwk("ES256", "two", 2), jwk("RS256", "three"))
    await refused(made, Issuer(number=1, key_id=None).token())
    assert await made.claims(Issuer("RS256", key_id=None).token()), "only one key is for this algorithm"


async def test_key_that_is_too_short_verifies_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        token = Issuer("RS256", number=-1).token()
    reason = await refused(verifier(tmp_path, jwk("RS256", number=-1)), token)
    assert "bits" in reason
