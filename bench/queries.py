"""The GraphQL documents that every subject is asked, and the requests made of them."""

import orjson

ENTRY = "key value partition offset timestamp"
ONE = f"query($key: String!) {{ value(key: $key) {{ {ENTRY} }} }}"
MANY = f"query($keys: [String!]!) {{ values(keys: $keys) {{ {ENTRY} }} }}"
PAGE = (
    "query($first: Int!, $after: String) "
    f"{{ entries(first: $first, after: $after) {{ edges {{ node {{ {ENTRY} }} }} }} }}"
)
UPDATES = "subscription($keys: [String!]) { updates(keys: $keys) { kind key entry { value } cursor } }"


def http_request(document: str, variables: dict[str, object]) -> bytes:
    """A whole POST, to be kept alive."""
    body = orjson.dumps({"query": document, "variables": variables})
    head = (
        "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
