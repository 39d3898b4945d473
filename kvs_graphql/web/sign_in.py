"""How the pages sign in at the issuer of the JWTs: OpenID Connect, as a public client with PKCE."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a page has to know. None of it is secret."""

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    audience: str | None
    resource: str | None

    @property
    def origin(self) -> str:
        """The origin of the issuer, the only other one that the pages may talk to."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"
