"""HTTP and WebSockets: the only Starlette."""

from kvs_graphql.web.app import WebOptions, build_app

__all__ = ["WebOptions", "build_app"]
