"""Headers by which browsers protect answers: each answer has them, whoever makes it."""

from collections.abc import Sequence

from starlette.types import Message

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""Keeps browsers from guessing another media type, so that no answer is ever taken for a script."""
_NO_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""An answer that is shown as a page loads nothing, and is shown in no frame."""
_NOT_FOR_OTHERS = (b"cross-origin-resource-policy", b"same-origin")
"""Other sites' pages get no answer as an image or a script; CORS decides about the rest."""
_NO_REFERRER = (b"referrer-policy", b"no-referrer")

ANSWER_HEADERS = (NO_SNIFFING, _NO_PAGE, _NOT_FOR_OTHERS)
"""Of answers of GraphQL, which hold no links."""
ALL_HEADERS = (*ANSWER_HEADERS, _NO_REFERRER)


def page_headers(frame_ancestors: Sequence[str], issuer: str = "") -> dict[str, str]:
    """The headers of a page, which pages of these origins may show in a frame.

    Besides this service, it may only talk to the issuer of its tokens, an origin.
    """
    connect = f"'self' {issuer}".strip()
    ancestors = " ".join(frame_ancestors) or "'none'"
    policy = (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
        "img-src 'self' data:; font-src 'self' data:; "
        f"connect-src {connect}; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
    return {name.decode(): value.decode() for name, value in ALL_HEADERS} | {"content-security-policy": policy}


def protect(message: Message) -> None:
    """Add the headers that the start of an answer has not set itself."""
    present = {name for name, _ in message["headers"]}
    message["headers"] = [*message["headers"], *(header for header in ALL_HEADERS if header[0] not in present)]
