"""The GraphQL documents that every subject answers, and their HTTP requests.

They use basic fields only, so that any two commits under comparison can answer them.
"""

import orjson

PATH = "/graphql"
JSON, EVENT_STREAM = "application/json", "text/event-stream"

ENTRY = "key value partition offset timestamp"
ONE = f"query($key: String!) {{ value(key: $key) {{ {ENTRY} }} }}"
MANY = f"query($keys: [String!]!) {{ values(keys: $keys) {{ {ENTRY} }} }}"
PAGE = (
    "query($first: Int!, $after: String) "
    f"{{ entries(first: $first, after: $after) {{ edges {{ node {{ {ENTRY} }} }} }} }}"
)
UPDATES = "subscription($keys: [String!]) { updates(keys: $keys) { kind key entry { value } cursor } }"


def http_request(document: str, variables: dict[str, object], accept: str = JSON) -> bytes:
    """Return the bytes of a POST over a connection that stays open."""
    body = orjson.dumps({"query": document, "variables": variables})
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {accept}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
