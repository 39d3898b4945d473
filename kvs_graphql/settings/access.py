"""The settings that say who may use the service, and from where."""

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from kvs_graphql.credentials import read_secret, server_tls_context
from kvs_graphql.loopback import is_loopback
from kvs_graphql.settings.grants import GrantSettings
from kvs_graphql.settings.names import variable

JWT_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Those with public keys: where keys are public, a symmetric algorithm would let anybody sign."""

_TOKEN = re.compile(r"[A-Za-z0-9._@-]+:[0-9a-f]{64}")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ISSUER = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?(/[^?#\s]*)?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+")
_FRAME_ANCESTOR = re.compile(r"'self'|\*|https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]+|:\*)?")


class AccessSettings(BaseSettings):
    """A part of `Settings`."""

    allow_anonymous: bool = Field(
        False,
        description="Serve clients without a token; needed to listen on an address other than loopback without "
        "KVS_TOKENS and KVS_JWT_ISSUER.",
    )
    tokens: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Static bearer tokens as name:hash, comma-separated; `kvs-graphql token` makes them.",
    )
    jwt_issuer: str | None = Field(None, min_length=1, description="Issuer (`iss`) of the JWTs that clients may show.")
    jwt_audience: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Audiences (`aud`), of which a JWT must have one, comma-separated."
    )
    jwt_jwks_url: str | None = Field(
        None, description="URL of the issuer's keys; if unset, where the issuer says (OpenID Connect discovery)."
    )
    jwt_jwks_file: Path | None = Field(None, description="File with the issuer's keys, instead of a URL.")
    jwt_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"), description="Algorithms that JWTs may be signed with, comma-separated."
    )
    jwt_clock_skew_seconds_max: float = Field(
        30.0, gt=0, description="Maximum seconds by which the issuer's clock may differ from this machine's."
    )
    jwks_refresh_seconds: float = Field(300.0, gt=0, description="Seconds between reads of the issuer's keys.")
    tokens_cached_max: int = Field(10_000, ge=1, description="Maximum verified tokens remembered until they expire.")
    token_bytes_max: int = Field(8 * 1024, ge=1, description="Maximum bytes of a JWT.")
    jwt_groups_claim: str | None = Field(
        None, description="Claim of a JWT with the groups of its principal, for grants to group:NAME."
    )
    oidc_client_id: str | None = Field(
        None,
        min_length=1,
        description="Client id of the dashboard and GraphiQL at KVS_JWT_ISSUER, for signing in (OpenID Connect with "
        "PKCE).",
    )
    oidc_audience: str | None = Field(
        None,
        min_length=1,
        description="`audience` that the pages ask for; issuers with this parameter give opaque tokens without it.",
    )
    oidc_resource: str | None = Field(
        None,
        min_length=1,
        description="`resource` that the pages ask for: the URI of this service at issuers with RFC 8707.",
    )
    oidc_scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("openid",),
        description="Scopes that the pages ask for, comma-separated; offline_access lets them renew their tokens.",
    )
    grants: tuple[GrantSettings, ...] = Field(
        (), description="Who may do what with which keys of which tables; if unset, all who may ask may do everything."
    )
    tls_certificate_file: Path | None = Field(
        None, description="PEM file of this service's certificate and its chain, for TLS towards clients."
    )
    tls_key_file: Path | None = Field(None, description="PEM file of that certificate's private key.")
    tls_key_password: SecretStr | None = Field(None, description="Password of that key, if encrypted; never logged.")
    tls_key_password_file: Path | None = Field(None, description="File with the password of that key.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names in URLs of this service, such as kvs.example.com or *.example.com, comma-separated; * for "
        "any. If unset, only loopback names on loopback, and any elsewhere.",
    )
    frame_ancestors: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may show the dashboard and GraphiQL in a frame, comma-separated."
    )
    requests_per_second_max: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Maximum requests, and operations on WebSockets, from one address within a second."
    )
    introspection: bool = Field(True, description="Let clients read the schema, also at /schema.graphql.")
    suggestions: bool = Field(
        True, description="Name similar fields, arguments and values in errors about unknown ones."
    )
    trusted_documents_file: Path | None = Field(
        None,
        description="JSON file with documents by their ids, such as SHA-256 hashes, which clients may send instead.",
    )
    trusted_documents_only: bool = Field(False, description="Execute no documents but trusted ones.")

    @field_validator(
        *("allowed_hosts", "frame_ancestors", "tokens", "jwt_audience", "jwt_algorithms", "oidc_scopes"), mode="before"
    )
    @classmethod
    def _split_lists(cls, value: object) -> object:
        return split(value)

    @field_validator("tokens")
    @classmethod
    def _check_tokens(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [token.partition(":")[0] for token in value]
        if not all(_TOKEN.fullmatch(token) for token in value):
            raise ValueError("each must be a name, a colon and a hash, as `kvs-graphql token` prints them")
        if len(set(names)) < len(names):
            raise ValueError("each name must be there once")
        return value

    @field_validator("jwt_algorithms")
    @classmethod
    def _check_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for algorithm in value:
            if algorithm not in JWT_ALGORITHMS:
                raise ValueError(f"{algorithm!r} is not one of {', '.join(sorted(JWT_ALGORITHMS))}")
        return value

    @field_validator("jwt_jwks_url", "jwt_issuer")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("https://"):
            parts = urlsplit(value)
            if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
                raise ValueError("must begin with https://, or be of this machine")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if host != "*" and not _HOST.fullmatch(host) and not _is_address(host.strip("[]")):
                raise ValueError(f"{host!r} is not a host name or address; it has no scheme and no port")
        return value

    @field_validator("frame_ancestors")
    @classmethod
    def _check_ancestors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _FRAME_ANCESTOR.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://example.com, 'self' or *")
        return value

    @model_validator(mode="after")
    def _check_documents(self) -> Self:
        if self.trusted_documents_only and self.trusted_documents_file is None:
            raise ValueError("KVS_TRUSTED_DOCUMENTS_ONLY=true needs KVS_TRUSTED_DOCUMENTS_FILE")
        return self

    @model_validator(mode="after")
    def _check_jwt(self) -> Self:
        if (self.jwt_issuer is None) != (not self.jwt_audience):
            raise ValueError("KVS_JWT_ISSUER and KVS_JWT_AUDIENCE must be set together")
        for name in ("jwt_jwks_url", "jwt_jwks_file"):
            if getattr(self, name) is not None and self.jwt_issuer is None:
                raise ValueError(f"{variable(name)} needs KVS_JWT_ISSUER and KVS_JWT_AUDIENCE")
        if self.jwt_jwks_url is not None and self.jwt_jwks_file is not None:
            raise ValueError("KVS_JWT_JWKS_URL and KVS_JWT_JWKS_FILE must not be set together")
        if self.jwt_jwks_file is not None and not self.jwt_jwks_file.is_file():
            raise ValueError(f"KVS_JWT_JWKS_FILE={self.jwt_jwks_file}: no such file")
        return self

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("must have openid")
        for scope in value:
            if not _SCOPE.fullmatch(scope):
                raise ValueError(f"{scope!r} is not a scope")
        return value

    @field_validator("oidc_resource")
    @classmethod
    def _check_resource(cls, value: str | None) -> str | None:
        if value is not None and not _RESOURCE.fullmatch(value):
            raise ValueError("must be an absolute URI without a fragment")
        return value

    @model_validator(mode="after")
    def _check_oidc(self) -> Self:
        if self.oidc_client_id is None:
            for name in ("oidc_audience", "oidc_resource"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{variable(name)} needs KVS_OIDC_CLIENT_ID")
            return self
        if self.jwt_issuer is None:
            raise ValueError("KVS_OIDC_CLIENT_ID needs KVS_JWT_ISSUER and KVS_JWT_AUDIENCE")
        if not _ISSUER.fullmatch(self.jwt_issuer):
            raise ValueError("KVS_JWT_ISSUER must be a URL without user, query and fragment for KVS_OIDC_CLIENT_ID")
        return self

    @property
    def asks_for_tokens(self) -> bool:
        """Whether clients can be known."""
        return bool(self.tokens) or self.jwt_issuer is not None

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("KVS_TLS_CERTIFICATE_FILE and KVS_TLS_KEY_FILE must be set together")
        _ = self.tls_context
        return self

    @property
    def tls_files(self) -> tuple[Path, ...]:
        """The files that TLS for clients is read from, also the one with a password; none without TLS."""
        files = self.tls_certificate_file, self.tls_key_file, self.tls_key_password_file
        return tuple(file for file in files if file is not None) if self.tls_certificate_file else ()

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context for clients, read from its files as they are now; None without TLS."""
        if self.tls_certificate_file is None or self.tls_key_file is None:
            return None
        password = self.tls_key_password
        secret = None if password is None else password.get_secret_value()
        if self.tls_key_password_file is not None:
            secret = read_secret("KVS_TLS_KEY_PASSWORD_FILE", self.tls_key_password_file)
        return server_tls_context(self.tls_certificate_file, self.tls_key_file, secret)


def split(value: object) -> object:
    """Split what a variable has, comma-separated."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
