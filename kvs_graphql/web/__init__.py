"""HTTP and WebSockets: the only Starlette."""

from kvs_graphql.web.app import WebOptions, build_app
from kvs_graphql.web.direct import DIRECT_EXTENSION, DirectWriter
from kvs_graphql.web.places import PlaceLimits

__all__ = ["DIRECT_EXTENSION", "DirectWriter", "PlaceLimits", "WebOptions", "build_app"]
