"""The settings of the schema registry: a section of the configuration file."""

from pathlib import Path
from ssl import SSLContext
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from kvs_graphql.credentials import Secret, check_tls_files, renew_tls, tls_context
from kvs_graphql.settings.names import variable
from kvs_graphql.settings.secrets import revealed, with_secrets
from kvs_graphql.settings.urls import SecretUrl, Url

_SECTION = "schema_registry"
_SECRETS = ("password", "token", "client_secret", "key_password")
REGISTRY_SECRETS = (*_SECRETS, "url", "token_url")
"""What no error shows; a URL that is refused may have a password in it."""
_WAYS = ("username", "token", "token_url")
"""The settings that begin the ways to say who asks."""
_TOGETHER = (("username", "password"), ("token_url", "client_id", "client_secret"), ("certificate_file", "key_file"))


Text = Annotated[str, Field(min_length=1)]


def _check_header(value: SecretStr | str) -> SecretStr | str:
    text = value if isinstance(value, str) else value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("must not be empty, and have printable ASCII characters only")
    return value


Header = Annotated[str, AfterValidator(_check_header)]
SecretHeader = Annotated[SecretStr, AfterValidator(_check_header)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class RegistrySettings(BaseModel):
    """How to reach a schema registry with Confluent's API, and what is asked of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Url | None = Field(default=None, description="URL of the schema registry.")
    username: Text | None = Field(default=None, description="Username at the schema registry.")
    password: SecretStr | None = Field(default=None, description="Password at the schema registry; never logged.")
    password_file: Path | None = Field(default=None, description="File with the password at the schema registry.")
    token: SecretHeader | None = Field(default=None, description="Bearer token for the schema registry; never logged.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for the schema registry.")
    token_url: SecretUrl | None = Field(
        default=None, description="URL of an OAuth server that gives tokens for the schema registry to this client."
    )
    client_id: Text | None = Field(default=None, description="This client at the OAuth server.")
    client_secret: SecretStr | None = Field(default=None, description="Its secret; never logged.")
    client_secret_file: Path | None = Field(default=None, description="File with its secret.")
    scope: Text | None = Field(default=None, description="Scope of the tokens; if unset, the server's default.")
    cluster: Header | None = Field(
        default=None, description="Logical cluster of a schema registry that serves several, as Confluent Cloud's."
    )
    identity_pool: Header | None = Field(default=None, description="Identity pool of the tokens, at Confluent Cloud.")
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of authorities trusted for the schema registry; if unset, the system's.",
    )
    certificate_file: Path | None = Field(
        default=None, description="PEM file of this client's certificate for the schema registry."
    )
    key_file: Path | None = Field(default=None, description="PEM file of that certificate's private key.")
    key_password: SecretStr | None = Field(default=None, description="Password of that key; never logged.")
    key_password_file: Path | None = Field(default=None, description="File with the password of that key.")
    poll_seconds: Seconds = Field(default=10.0, description="Seconds between looks for new versions of a schema.")
    seconds_max: Seconds = Field(
        default=5.0, description="Maximum seconds for the schema registry to give a schema, with all that it refers to."
    )
    failure_seconds: Seconds = Field(
        default=5.0, description="Seconds for which a failure to get a schema is remembered, and not asked about again."
    )
    requests_max: Count = Field(default=8, description="Maximum requests to the schema registry at the same time.")
    schema_bytes_max: Bytes = Field(
        default=1_048_576, description="Maximum bytes of a schema with all that it refers to."
    )
    references_max: Count = Field(default=200, description="Maximum schemas that a schema refers to, directly or not.")
    versions_max: Count = Field(default=1_000, description="Maximum versions of a subject to look at: the newest.")
    cache_bytes_max: Bytes = Field(
        default=32 * 1_048_576, description="Maximum bytes of schemas in memory, and of the versions of one subject."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:
        return with_secrets(values, _SECRETS, _named) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        ways = [_named(name) for name in _WAYS if name in given]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} must not be set together")
        for names in _TOGETHER:
            missing = [name for name in names if name not in given]
            if 0 < len(missing) < len(names):
                there = next(name for name in names if name in given)
                raise ValueError(f"{_named(there)} needs {' and '.join(map(_named, missing))}")
        for name in ("ca_file", "certificate_file", "key_file"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{_named(name)}={path}: no such file")
        check_tls_files(*self._tls_files)
        return self

    def tls(self) -> SSLContext:
        """Return the context for connections with TLS.

        Raises:
            BadSetting: A file cannot be read, or holds something else, or the key needs another password.
        """
        return tls_context(*self._tls_files)

    def renew(self, tls: SSLContext) -> None:
        """Read the files of a context again, which may have been replaced.

        Raises:
            BadSetting: As above. The context then works as before.
        """
        if self.ca_file is not None or self.certificate_file is not None:
            renew_tls(tls, *self._tls_files)

    @property
    def oauth_secret(self) -> Secret:
        """The secret of this client at the OAuth server."""
        return Secret(revealed(self.client_secret) or "", _named("client_secret_file"), self.client_secret_file)

    @property
    def _tls_files(self) -> tuple[Path | None, Path | None, Path | None, str | None, str]:
        files = self.ca_file, self.certificate_file, self.key_file
        return *files, revealed(self.key_password), _named("")


def _named(name: str) -> str:
    """The variable of a setting of the section."""
    return variable(f"{_SECTION}__{name}")
