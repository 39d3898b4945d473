"""Server-Sent Events whose ids are cursors, so that a browser's own EventSource resumes without help."""

from collections.abc import Callable

from starlette.requests import Request
from strawberry.http import GraphQLHTTPResponse
from strawberry.http.streaming import SSETransport

_END = "end"


class CursorEvents(SSETransport):
    """Strawberry's events of graphql-sse, each with the cursor just after it as its id; the last one's id is `end`."""

    def encode_next(self, response: GraphQLHTTPResponse, encode_json: Callable[[object], str]) -> str:
        extensions = dict(response.get("extensions") or {})
        cursor = extensions.pop("place", None)
        if cursor is None:
            return super().encode_next(response, encode_json)
        told: GraphQLHTTPResponse = {**response, "extensions": extensions}
        if not extensions:
            del told["extensions"]
        return f"id: {cursor}\r\n{super().encode_next(told, encode_json)}"

    def encode_complete(self) -> str:
        return f"id: {_END}\r\n{super().encode_complete()}"


def cursor_events(ping_seconds: float) -> type[CursorEvents]:
    """Events with a comment every so many seconds: proxies see that the stream lives, TCP whether its client does."""

    class PingedCursorEvents(CursorEvents):
        def __init__(self) -> None:
            super().__init__(ping_seconds)

    return PingedCursorEvents


def resumed_from(request: Request) -> str | None:
    """The cursor of the last event that a reconnecting EventSource got."""
    return request.headers.get("last-event-id") or None


def is_over(request: Request) -> bool:
    """Whether an EventSource comes back after the end, as it does until it is told not to (by a 204)."""
    return resumed_from(request) == _END
