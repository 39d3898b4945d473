"""HTTP and WebSockets: the only Starlette."""

from kvs_graphql.web.app import WebOptions, build_app
from kvs_graphql.web.places import PlaceLimits

__all__ = ["PlaceLimits", "WebOptions", "build_app"]
