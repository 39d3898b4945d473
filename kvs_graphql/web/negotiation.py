"""Which media type an answer has: the `Accept` headers, with their orders of preference (RFC 9110, 12.5)."""

from enum import StrEnum
from functools import lru_cache
from urllib.request import parse_http_list

_HEADERS_CACHED = 256
_HEADER_CHARACTERS_MAX = 1_024


class MediaType(StrEnum):
    """The forms of an answer, best first."""

    GRAPHQL_RESPONSE = "application/graphql-response+json"
    JSON = "application/json"
    EVENT_STREAM = "text/event-stream"
    MULTIPART = "multipart/mixed"


ANSWERS = (MediaType.GRAPHQL_RESPONSE, MediaType.JSON)
"""One answer in one body."""
STREAMS = (MediaType.EVENT_STREAM, MediaType.MULTIPART)
"""Any number of results in one body."""

# Only the old media type answers to a wildcard: clients that do not know the others cannot name them.
_WILDCARDS: dict[str, tuple[str, ...]] = {MediaType.JSON: ("*/*", "application/*")}
_SUBSCRIPTION_SPEC = "1.0"
_HTML = "text/html"

_Range = tuple[str, dict[str, str], float]
"""The type, the parameters and the quality of one range."""


def readable(accept: str) -> str:
    """The header, or "" if it is too long to parse and cache."""
    return accept if len(accept) <= _HEADER_CHARACTERS_MAX else ""


@lru_cache(_HEADERS_CACHED)
def answer_type(accept: str) -> MediaType:
    """The media type of a single response; JSON if the client accepts none of ours."""
    # Multipart subscriptions carry nothing else.
    return _preferred(accept, (*ANSWERS, MediaType.EVENT_STREAM)) or MediaType.JSON


@lru_cache(_HEADERS_CACHED)
def stream_type(accept: str) -> MediaType | None:
    """The form of a subscription's results; None for a client that takes no stream."""
    return _preferred(accept, STREAMS)


@lru_cache(_HEADERS_CACHED)
def refusal_type(accept: str) -> MediaType:
    """The form in which a client learns that nothing was executed."""
    return _preferred(accept, (*ANSWERS, *STREAMS)) or MediaType.JSON


def body_type(accept: str) -> MediaType:
    """The form of an error of a request that is no GraphQL."""
    return _preferred(readable(accept), ANSWERS) or MediaType.JSON


@lru_cache(_HEADERS_CACHED)
def prefers_html(accept: str) -> bool:
    """Whether a browser navigates here: a client that names HTML, and prefers no answer of GraphQL to it."""
    ranges = _ranges(accept)
    html = _quality(_HTML, ranges)
    return html > 0 and html >= max(_quality(media_type, ranges) for media_type in MediaType)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client takes compressed content."""
    qualities = {coding: quality for coding, _, quality in _ranges(readable(accept_encoding))}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _preferred(accept: str, offered: tuple[MediaType, ...]) -> MediaType | None:
    """The media type that the client prefers among those offered, which come best first; None: it takes none of them.

    A client that names none at all takes everything.
    """
    ranges = _ranges(accept)
    if not ranges and MediaType.JSON in offered:
        return MediaType.JSON
    qualities = [(_quality(media_type, ranges), media_type) for media_type in offered]
    best = max((quality for quality, _ in qualities), default=0.0)
    return next((media_type for quality, media_type in qualities if quality == best > 0), None)


def _ranges(header: str) -> list[_Range]:
    return [_range(text) for text in parse_http_list(header)]


def _range(text: str) -> _Range:
    kind, *parts = text.split(";")
    parameters = {
        name.strip().lower(): value.strip().strip('"') for name, _, value in (p.partition("=") for p in parts)
    }
    try:
        quality = float(parameters.pop("q", "1"))
    except ValueError:
        quality = 0.0
    if not 0.0 <= quality <= 1.0:
        quality = 0.0
    return kind.strip().lower(), parameters, quality


def _quality(media_type: str, ranges: list[_Range]) -> float:
    """The quality of the most specific range that matches."""
    for kind in (media_type, *reversed(_WILDCARDS.get(media_type, ()))):
        for named, parameters, quality in ranges:
            if named == kind and _is_understood(media_type, parameters):
                return quality
    return 0.0


def _is_understood(media_type: str, parameters: dict[str, str]) -> bool:
    """Multipart answers are only those of the multipart subscription protocol."""
    return media_type is not MediaType.MULTIPART or parameters.get("subscriptionspec") == _SUBSCRIPTION_SPEC
