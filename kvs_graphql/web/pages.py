"""The pages for browsers, built from `web/` when the package is built, and served without another host's help."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from kvs_graphql.web.negotiation import accepts_gzip, prefers_html
from kvs_graphql.web.protection import page_headers
from kvs_graphql.web.sign_in import SignIn

GRAPHQL_PATH = "/graphql"
SIGNED_IN_PATH = "/signed-in"
STATIC = Path(__file__).parent / "static"

_PAGE_HEADERS = {
    "Accept-Ranges": "none",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>kvs-graphql</title>
<h1>This page is not built</h1>
<p>The service runs, and answers GraphQL here. Its pages for browsers are built from the checkout, with Node.js:</p>
<pre>npm --prefix web ci &amp;&amp; npm --prefix web run build</pre></html>
"""


class Pages:
    """What a browser gets."""

    def __init__(self, *, graphiql: bool, frame_ancestors: Sequence[str], sign_in: SignIn | None = None) -> None:
        self._graphiql = graphiql
        self._headers = page_headers(frame_ancestors, sign_in.origin if sign_in else "") | _PAGE_HEADERS

    def graphiql(self, accept: str) -> Response | None:
        """The playground, where it is on and a browser navigates here, as its `Accept` header tells; else None."""
        return _page("graphiql.html", self._headers) if self._graphiql and prefers_html(accept) else None

    async def front(self, _: Request) -> Response:
        """The dashboard; without it, the way to the playground."""
        if (STATIC / "dashboard.html").is_file():
            return _page("dashboard.html", self._headers)
        # Relative: only the browser knows the prefix under which a proxy serves this page.
        return RedirectResponse(GRAPHQL_PATH.removeprefix("/"))

    async def signed_in(self, _: Request) -> Response:
        """Where the issuer sends a browser back to, with a code for a token."""
        return _page("signed-in.html", self._headers)


class _WholeFile(FileResponse):
    """A file that is sent whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_without_ranges(scope), receive, send)


class Assets(StaticFiles):
    """Scripts, styles and fonts, compressed when built. Their names change with their content."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC / "assets", check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_without_ranges(scope), receive, send)

    async def check_config(self) -> None:
        """Nothing: a checkout whose pages are not built has no assets."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        # First, for it refuses names that no file can have.
        response = await super().get_response(path, scope)
        accepts = Request(scope).headers.get("accept-encoding", "")
        if accepts_gzip(accepts) and (STATIC / "assets" / f"{path}.gz").is_file():
            response = await super().get_response(f"{path}.gz", scope)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Type"] = _TYPES.get(Path(path).suffix, "application/octet-stream")
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Accept-Ranges"] = "none"
        if not path.endswith(".md"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
}


def _page(name: str, headers: Mapping[str, str]) -> Response:
    path = STATIC / name
    if not path.is_file():
        return HTMLResponse(_NOT_BUILT, 200, headers)
    return _WholeFile(path, headers=headers, media_type="text/html")


def _without_ranges(scope: Scope) -> Scope:
    """The request for all of a file: files here are small, and Starlette's errors about ranges have no code."""
    return {**scope, "headers": [header for header in scope["headers"] if header[0] != b"range"]}
