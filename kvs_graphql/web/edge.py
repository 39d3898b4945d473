"""Refuses requests before anything else is done with them, on every path and transport."""

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from kvs_graphql.errors import LimitExceeded
from kvs_graphql.executor import Executor
from kvs_graphql.throttle import Throttle
from kvs_graphql.web.clients import ClientAddresses
from kvs_graphql.web.fields import fields_of
from kvs_graphql.web.hosts import Hosts, is_address
from kvs_graphql.web.rates import RequestRates
from kvs_graphql.web.responses import error_response, refusal_response

log = structlog.get_logger(__name__)

_HOST_REFUSED = "The Host header has a name that is not in KVS_ALLOWED_HOSTS."
_LOG_SECONDS = 60.0
_LOGGED_CHARACTERS_MAX = 200
_PROBED = ("/healthz", "/readyz")


class Edge:
    """Decides which requests come in."""

    def __init__(
        self,
        executor: Executor,
        hosts: Hosts,
        rates: RequestRates | None,
        addresses: ClientAddresses,
        root_path: str,
    ) -> None:
        self._executor = executor
        self._hosts = hosts
        self._rates = rates
        self._addresses = addresses
        self._probed = frozenset(prefix + path for prefix in ("", root_path) for path in _PROBED)
        self._log = Throttle(_LOG_SECONDS)

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that does not come in."""
        host = fields_of(scope).get(b"host")
        # Looked at here, so that no request that comes in pays for a call.
        if host is not None and not self._hosts.allows(host) and (refusal := self.refusal_of_host(scope)):
            return refusal
        return None if self._rates is None else self._over_rate(self._rates, scope)

    def refusal_of_host(self, scope: Scope) -> Response | None:
        """The answer to a request for another name. One without Host is let in: a browser cannot leave it out."""
        host = fields_of(scope).get(b"host")
        if host is None or self._hosts.allows(host) or self._is_probe(scope, host):
            return None
        return self._refuse_host(scope, host)

    def _over_rate(self, rates: RequestRates, scope: Scope) -> Response | None:
        if scope["path"] in self._probed:
            return None
        try:
            rates.check(self._addresses.of_request(scope))
        except LimitExceeded as error:
            return refusal_response(self._executor, _accept(scope), error, 429, {"Retry-After": "1"})
        return None

    def _is_probe(self, scope: Scope, host: bytes) -> bool:
        """Whether an orchestrator asks for the service's health by its address, to which no name can be rebound."""
        return scope["path"] in self._probed and is_address(host)

    def _refuse_host(self, scope: Scope, host: bytes) -> Response:
        if self._log.allow():  # For the operator of a proxy.
            log.warning(
                "refused for its Host header",
                host=host.decode("latin-1")[:_LOGGED_CHARACTERS_MAX],
                remedy="if it is a name of this service, add it to KVS_ALLOWED_HOSTS",
            )
        return error_response(self._executor, _accept(scope), HTTPException(421, _HOST_REFUSED))


def _accept(scope: Scope) -> str:
    return fields_of(scope).get(b"accept", b"").decode("latin-1")
