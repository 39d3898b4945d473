"""The settings that say who may use the service, and from where."""

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from kvs_graphql.credentials import server_tls_context

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_FRAME_ANCESTOR = re.compile(r"'self'|\*|https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]+|:\*)?")


class AccessSettings(BaseSettings):
    """A part of `Settings`."""

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

    @field_validator("allowed_hosts", "frame_ancestors", mode="before")
    @classmethod
    def _split_lists(cls, value: object) -> object:
        return split(value)

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
    def _check_tls(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("KVS_TLS_CERTIFICATE_FILE and KVS_TLS_KEY_FILE must be set together")
        _ = self.tls_context
        return self

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context for clients, read from its files; None without TLS."""
        if self.tls_certificate_file is None or self.tls_key_file is None:
            return None
        password = self.tls_key_password
        secret = None if password is None else password.get_secret_value()
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
