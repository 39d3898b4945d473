"""HTTP and WebSockets: the only Starlette."""

from kvs_graphql.web.app import WebOptions, build_app
from kvs_graphql.web.places import PlaceLimits
from kvs_graphql.web.sockets import PUSH_EXTENSION

__all__ = ["PUSH_EXTENSION", "PlaceLimits", "WebOptions", "build_app"]
