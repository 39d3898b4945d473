"""The keys of an issuer (RFC 7517): from a file or a URL, and read again while the service runs."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import jwt
import orjson
import structlog

from kvs_graphql.loopback import is_loopback

log = structlog.get_logger(__name__)

_BYTES_MAX = 1024 * 1024
_SECONDS_MAX = 10.0
_UNKNOWN_KEY_SECONDS = 10.0
"""Unknown keys lead to a look for new ones at most this often: anybody can name one."""
_FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_DISCOVERY = "/.well-known/openid-configuration"


class KeySource:
    """The keys of an issuer. With neither file nor URL, the issuer itself tells where they are (OpenID Connect)."""

    def __init__(self, issuer: str, *, url: str | None, file: Path | None, refresh_seconds: float) -> None:
        self._issuer = issuer
        self._url = url
        self._file = file
        self._refresh_seconds = refresh_seconds
        self._found: list[dict[str, Any]] = []
        self._made: dict[tuple[str | None, str], jwt.PyJWK | None] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at: float | None = None
        self._tls: ssl.SSLContext | None = None
        self.generation = 0
        """Counts the sets of keys: what was verified by an older one may be by a key that is withdrawn."""

    async def run(self) -> None:
        """Read the keys again every so many seconds; go on with those that are known while that fails."""
        while True:
            await self._refresh()
            await asyncio.sleep(self._refresh_seconds)

    async def key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key with that id; the only one that fits, where the token names none. None if there is none.

        Nothing but the id and the algorithm is taken from a token.
        """
        found = self._key(key_id, algorithm)
        now = asyncio.get_running_loop().time()
        if found is None and (self._refreshed_at is None or now - self._refreshed_at >= _UNKNOWN_KEY_SECONDS):
            await self._refresh()
            found = self._key(key_id, algorithm)
        return found

    async def _refresh(self) -> None:
        """Read the keys; all who want that at once share one reading."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._read())
            self._refreshing.add_done_callback(self._end_refresh)
        await asyncio.shield(self._refreshing)

    def _end_refresh(self, _: asyncio.Task[None]) -> None:
        self._refreshing = None
        self._refreshed_at = asyncio.get_running_loop().time()

    async def _read(self) -> None:
        try:
            document = await self._document()
            keys = document["keys"]
            found = [key for key in keys if isinstance(key, dict)]
        except (OSError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.warning("cannot read the keys of the issuer", issuer=self._issuer, reason=_reason(error))
            return
        if found != self._found:
            self._found, self._made = found, {}
            self.generation += 1
            log.info("keys of the issuer", issuer=self._issuer, keys=len(found))

    async def _document(self) -> Any:
        if self._file is not None:
            with self._file.open("rb") as file:
                return orjson.loads(file.read(_BYTES_MAX))
        if self._tls is None:
            # Reading all that this machine trusts takes long.
            self._tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        async with (
            asyncio.timeout(_SECONDS_MAX),
            httpx.AsyncClient(verify=self._tls, timeout=_SECONDS_MAX, trust_env=False) as http,
        ):
            url = self._url
            if url is None:
                found = await _fetch(http, self._issuer.rstrip("/") + _DISCOVERY)
                if found["issuer"] != self._issuer:
                    raise ValueError("the document of discovery is of another issuer")
                url = found["jwks_uri"]
            return await _fetch(http, url)

    def _key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        wanted = key_id, algorithm
        if wanted not in self._made:
            fitting = [one for one in self._found if _fits(one, key_id, algorithm)]
            if len(fitting) != 1:
                # Not kept: clients could name any number of keys.
                return None
            self._made[wanted] = _made(fitting[0], algorithm)
        return self._made[wanted]


def is_fetchable(url: str) -> bool:
    """Whether keys may come from there: over TLS, or from this machine."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(parts.host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.host)))


async def _fetch(http: httpx.AsyncClient, url: str) -> Any:
    """A JSON document. It follows no redirects: they could lead anywhere."""
    if not is_fetchable(url):
        raise ValueError("keys come from https:// only, or from this machine")
    body = b""
    async with http.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"{url} answers with {response.status_code}")
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _BYTES_MAX:
                raise ValueError(f"{url} answers with more than {_BYTES_MAX} bytes")
    return orjson.loads(body)


def _fits(key: dict[str, Any], key_id: str | None, algorithm: str) -> bool:
    """Whether a key is for that algorithm, and for signatures. Keys for symmetric algorithms never fit."""
    return (
        key.get("kty") == _FAMILIES.get(algorithm[:2])
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and "verify" in key.get("key_ops", ("verify",))
        and (key_id is None or key.get("kid") == key_id)
    )


def _made(key: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK(key, algorithm)
    except jwt.PyJWTError as error:
        log.warning("a key of the issuer cannot be used", reason=_reason(error))
        return None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
