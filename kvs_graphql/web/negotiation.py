"""Which media type an answer has: the `Accept` headers, with their orders of preference (RFC 9110, 12.5)."""

import math
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
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
_CHARSET = "utf-8"


class _Range(NamedTuple):
    """One range of a header: its type, its parameters and its quality."""

    kind: str
    parameters: dict[str, str]
    quality: float


def accept_of(fields: Mapping[bytes, bytes]) -> str:
    """The Accept header among a request's fields."""
    return readable(fields.get(b"accept", b"").decode("latin-1"))


def readable(accept: str) -> str:
    """The header, or "" if it is too long to parse and cache."""
    return accept if len(accept) <= _HEADER_CHARACTERS_MAX else ""


@lru_cache(_HEADERS_CACHED)
def answer_type(accept: str) -> MediaType | None:
    """The media type of a single response; None for a client that accepts none of ours."""
    # Multipart subscriptions carry nothing else.
    return _preferred(accept, (*ANSWERS, MediaType.EVENT_STREAM))


@lru_cache(_HEADERS_CACHED)
def stream_type(accept: str) -> MediaType | None:
    """The form of a subscription's results; None for a client that takes no stream."""
    return _preferred(accept, STREAMS)


def takes_event_stream_only(accept: str) -> bool:
    """Whether a client gets an event stream whatever it asks for, as a browser's EventSource does."""
    return answer_type(accept) is stream_type(accept) is MediaType.EVENT_STREAM


@lru_cache(_HEADERS_CACHED)
def refusal_type(accept: str) -> MediaType | None:
    """The form in which a client learns that nothing was executed; None if it accepts none of ours."""
    return _preferred(accept, (*ANSWERS, *STREAMS))


def body_type(accept: str) -> MediaType:
    """The form of an error of a request that is no GraphQL."""
    return _preferred(readable(accept), ANSWERS) or MediaType.JSON


@lru_cache(_HEADERS_CACHED)
def prefers_html(accept: str) -> bool:
    """Whether a browser navigates here: a client that names HTML, and prefers no answer of GraphQL to it."""
    ranges = _ranges(accept)
    html = _preference(_HTML, ranges)
    return html.quality > 0 and html >= max(_preference(media_type, ranges) for media_type in MediaType)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client takes compressed content."""
    qualities = {coding: quality for coding, _, quality in _ranges(readable(accept_encoding))}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def is_json(content_type: str) -> bool:
    """Whether a body is JSON, in UTF-8 as JSON always is; whatever the case and the other parameters."""
    kind, parameters, _ = _range(content_type)
    return kind == MediaType.JSON and parameters.get("charset", _CHARSET).lower() == _CHARSET


class _Preference(NamedTuple):
    """How much a client wants a media type: first by quality, then by the order in which it names them."""

    quality: float
    order: float
    """The later, the less: 0 for the first range, then -1, -2 and so on."""


_NOT_ACCEPTED = _Preference(0.0, -math.inf)


def _preferred(accept: str, offered: tuple[MediaType, ...]) -> MediaType | None:
    """The media type that the client prefers among those offered, which come best first; None: it takes none of them.

    A client that names none at all takes JSON.
    """
    ranges = [one for one in _ranges(accept) if "/" in one.kind]
    if not ranges:
        return MediaType.JSON if MediaType.JSON in offered else None
    preferences = [(_preference(media_type, ranges), media_type) for media_type in offered]
    best = max(preference for preference, _ in preferences)
    return next(media_type for preference, media_type in preferences if preference == best) if best.quality else None


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
    return _Range(kind.strip().lower(), parameters, quality)


def _preference(media_type: str, ranges: list[_Range]) -> _Preference:
    """That of the most specific range that matches."""
    for kind in (media_type, *reversed(_WILDCARDS.get(media_type, ()))):
        for order, (named, parameters, quality) in enumerate(ranges):
            if named == kind and _is_understood(media_type, parameters):
                return _Preference(quality, -order)
    return _NOT_ACCEPTED


def _is_understood(media_type: str, parameters: dict[str, str]) -> bool:
    """Multipart answers are only those of the multipart subscription protocol."""
    return media_type is not MediaType.MULTIPART or parameters.get("subscriptionspec") == _SUBSCRIPTION_SPEC
