"""Requests by POST, as a client without a GraphQL library sends them."""

from httpx import Response

from tests.serving import Served

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"


async def post(served: Served, content: bytes, accept: str = JSON, content_type: str = JSON) -> Response:
    """Return the answer to a body."""
    headers = {"content-type": content_type, "accept": accept}
    return await served.http.post("/graphql", content=content, headers=headers)


def codes(answer: Response) -> list[str]:
    """Return the codes of an answer's errors."""
    return [error["extensions"]["code"] for error in answer.json()["errors"]]
