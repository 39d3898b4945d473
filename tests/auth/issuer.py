"""An issuer of JWTs, with keys that it can change."""

import base64
import json
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

ISSUER, AUDIENCE = "https://issuer.example/", "kvs"
FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@cache
def private_key(algorithm: str, number: int = 0) -> Any:
    """A private key for that algorithm, and another one for each number."""
    match algorithm:
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return private_rsa_key(algorithm, number)


@cache
def private_rsa_key(_: str, number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048 if number >= 0 else 1024)


def jwk(algorithm: str, key_id: str | None = "k", number: int = 0, **members: Any) -> dict[str, Any]:
    """The public key, as an issuer publishes it."""
    public = private_key(algorithm, number).public_key()
    made = json.loads(get_default_algorithms()[algorithm].to_jwk(public))
    made.pop("key_ops", None)
    return {**made, "alg": algorithm, "use": "sig", **({} if key_id is None else {"kid": key_id}), **members}


@dataclass
class Issuer:
    """Signs tokens; its claims and header can be overridden, None takes one away."""

    algorithm: str = "ES256"
    number: int = 0
    key_id: str | None = "k"
    claims: dict[str, Any] = field(default_factory=dict)

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = time.time()
        all_claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now - 1, "exp": now + 3600}
        kept = {name: value for name, value in {**all_claims, **self.claims, **claims}.items() if value is not None}
        names = {} if self.key_id is None else {"kid": self.key_id}
        key = private_key(self.algorithm, self.number)
        # Not by `jwt.encode`, which refuses claims that an issuer could well send.
        return jwt.PyJWS().encode(json.dumps(kept).encode(), key, self.algorithm, {**names, **(header or {})})

    def jwk(self, **members: Any) -> dict[str, Any]:
        return jwk(self.algorithm, self.key_id, self.number, **members)


def write_keys(path: Path, *keys: dict[str, Any]) -> Path:
    """Publish keys in a file."""
    path.write_text(json.dumps({"keys": list(keys)}))
    return path


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token that nobody signed."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
