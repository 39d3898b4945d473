"""HTTP and WebSockets: the only Starlette."""

from kvs_graphql.web.app import WebOptions, build_app
from kvs_graphql.web.clients import ClientAddresses
from kvs_graphql.web.direct import DIRECT_EXTENSION
from kvs_graphql.web.hosts import Hosts
from kvs_graphql.web.reserved_streams import ReservedStreamLimits
from kvs_graphql.web.sign_in import SignIn
from kvs_graphql.web.slots import SlotLimits

__all__ = [
    "DIRECT_EXTENSION",
    "ClientAddresses",
    "Hosts",
    "ReservedStreamLimits",
    "SignIn",
    "SlotLimits",
    "WebOptions",
    "build_app",
]
