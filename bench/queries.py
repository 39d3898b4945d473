"""The GraphQL documents that every subject answers, and their HTTP requests.

Without typed data they use basic fields only, so that any two commits under comparison can answer them.
"""

import orjson

PATH = "/graphql"
JSON, EVENT_STREAM = "application/json", "text/event-stream"

ENTRY = "key value partition offset timestamp"
VALUE = "value"


def one(entry: str = ENTRY) -> str:
    """Return the query of one key, with these fields of the entry."""
    return f"query($key: String!) {{ value(key: $key) {{ {entry} }} }}"


def many(entry: str = ENTRY) -> str:
    """Return the query of many keys."""
    return f"query($keys: [String!]!) {{ values(keys: $keys) {{ {entry} }} }}"


def page(entry: str = ENTRY) -> str:
    """Return the query of a page."""
    return (
        "query($first: Int!, $after: String) "
        f"{{ entries(first: $first, after: $after) {{ edges {{ node {{ {entry} }} }} }} }}"
    )


def updates(entry: str = VALUE) -> str:
    """Return the subscription to keys, with these fields of each update's entry."""
    return f"subscription($keys: [String!]) {{ updates(keys: $keys) {{ kind key entry {{ {entry} }} cursor }} }}"


def http_request(document: str, variables: dict[str, object], accept: str = JSON, token: str | None = None) -> bytes:
    """Return the bytes of a POST over a connection that stays open; with `token`, it says who asks."""
    body = orjson.dumps({"query": document, "variables": variables})
    authorization = "" if token is None else f"authorization: Bearer {token}\r\n"
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {accept}\r\n{authorization}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
