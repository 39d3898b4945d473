"""Clients get the media type that they prefer among those that fit (RFC 9110, section 12.5.1)."""

import pytest

from kvs_graphql.web.negotiation import (
    MediaType,
    accepts_gzip,
    answer_type,
    body_type,
    is_json,
    prefers_html,
    readable,
    refusal_type,
    stream_type,
)

GRAPHQL_RESPONSE, JSON = MediaType.GRAPHQL_RESPONSE, MediaType.JSON
EVENT_STREAM, MULTIPART = MediaType.EVENT_STREAM, MediaType.MULTIPART

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
APOLLO = "application/graphql-response+json,application/json;q=0.9"
APOLLO_SUBSCRIPTION = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/json'


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        (BROWSER, JSON),
        (URQL, GRAPHQL_RESPONSE),
        (APOLLO, GRAPHQL_RESPONSE),
        (APOLLO_SUBSCRIPTION, JSON),
        ("application/json, text/event-stream;q=0.1", JSON),
        ("application/json;q=1, text/event-stream;q=0", JSON),
        ("application/json;q=0.1, text/event-stream", EVENT_STREAM),
        ("text/event-stream", EVENT_STREAM),
        ("text/event-stream, application/json", EVENT_STREAM),
        ("application/json, application/graphql-response+json", JSON),
        ("text/event-stream;q=0.5, application/json;q=0.5, */*;q=0.1", EVENT_STREAM),
        ("application/graphql-response+json;q=0.5, application/json;q=0.6", JSON),
        ("application/graphql-response+json;q=0.5, application/json;q=0.5", GRAPHQL_RESPONSE),
        ("*/*, application/graphql-response+json;q=0.5", JSON),
        ("application/*", JSON),
        ("application/*, application/json;q=0", None),
        ("application/*;q=0, */*", None),
        ("application/json;q=0, */*", None),
        ("text/html", None),
        ("image/*", None),
        ('multipart/mixed;subscriptionSpec="1.0"', None),
        (",, ;", JSON),
    ],
)
def test_answer_has_the_preferred_media_type(accept: str, media_type: MediaType | None) -> None:
    assert answer_type(accept) is media_type


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (URQL, EVENT_STREAM),
        (APOLLO_SUBSCRIPTION, MULTIPART),
        ("text/event-stream", EVENT_STREAM),
        ("application/json, text/event-stream;q=0.1", EVENT_STREAM),
        ("application/json;q=1, text/event-stream;q=0", None),
        ('multipart/mixed;subscriptionSpec="1.0", text/event-stream;q=0.9', MULTIPART),
        ('multipart/mixed;subscriptionSpec=1.0;q=0.8, text/event-stream;q="0.9"', EVENT_STREAM),
        ('multipart/mixed;subscriptionSpec="1.0";q=0.5, text/event-stream;q=0.5', MULTIPART),
        ('text/event-stream;q=0.5, multipart/mixed;subscriptionSpec="1.0";q=0.5', EVENT_STREAM),
        ("multipart/mixed", None),
        ("multipart/mixed;deferSpec=20220824", None),
        ('multipart/mixed;subscriptionSpec="2.0"', None),
        ("", None),
        ("*/*", None),
        (BROWSER, None),
        (APOLLO, None),
    ],
)
def test_subscription_has_the_preferred_stream_or_none(accept: str, media_type: MediaType | None) -> None:
    assert stream_type(accept) is media_type


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("Application/JSON", JSON),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", GRAPHQL_RESPONSE),
        ("  application/graphql-response+json  ;  charset=utf-8 ; q=1.0 ", GRAPHQL_RESPONSE),
        ("Text/Event-Stream;Q=1", EVENT_STREAM),
        ('application/json;note="a, text/event-stream";q=0.2, text/event-stream;q=0.3', EVENT_STREAM),
        ("application/json;q=oops, text/event-stream;q=0.1", EVENT_STREAM),
        ("application/json;q=nan, text/event-stream;q=0.1", EVENT_STREAM),
        ("application/json;q=inf, text/event-stream;q=0.1", EVENT_STREAM),
        ("application/json;q=-1, text/event-stream;q=0.1", EVENT_STREAM),
        (",,application/graphql-response+json,,", GRAPHQL_RESPONSE),
    ],
)
def test_case_space_and_parameters_do_not_matter(accept: str, media_type: MediaType) -> None:
    assert answer_type(accept) is media_type


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        (APOLLO, GRAPHQL_RESPONSE),
        ("text/event-stream", EVENT_STREAM),
        (URQL, GRAPHQL_RESPONSE),
        (APOLLO_SUBSCRIPTION, MULTIPART),
        ('multipart/mixed;subscriptionSpec="1.0"', MULTIPART),
        ("text/html", None),
    ],
)
def test_refusal_has_the_preferred_form_of_all(accept: str, media_type: MediaType | None) -> None:
    assert refusal_type(accept) is media_type


@pytest.mark.parametrize("accept", ["text/event-stream", 'multipart/mixed;subscriptionSpec="1.0"', "", "text/html"])
def test_error_of_an_unreadable_request_is_json(accept: str) -> None:
    assert body_type(accept) is JSON
    assert body_type(f"{GRAPHQL_RESPONSE}, {accept}") is GRAPHQL_RESPONSE


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("Text/HTML, application/json", True),
        ("application/json, text/html", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=0.5, application/json", False),
        ("*/*", False),
        ("application/json", False),
        ("application/text/html", False),
        ("", False),
        ("text/html," * 1_000, False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_page_is_for_clients_that_prefer_html(accept: str, page: bool) -> None:
    assert prefers_html(readable(accept)) is page


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1, GZIP;q=0.1", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("not-gzip", False),
        ("", False),
    ],
)
def test_gzip_is_for_clients_that_accept_it(accept: str, compressed: bool) -> None:
    assert accepts_gzip(accept) is compressed


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ('application/json; charset="UTF-8"', True),
        ("application/json;profile=x; Charset=utf-8", True),
        ("application/json; charset=utf-16", False),
        ("application/jsonp", False),
        ("text/plain; type=application/json", False),
        ("", False),
    ],
)
def test_body_is_json_whatever_its_case_and_parameters(content_type: str, json: bool) -> None:
    assert is_json(content_type) is json
