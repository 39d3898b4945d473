"""The names of the transports that subscribers may use."""

WEBSOCKET = "graphql-transport-ws"
BARE_WEBSOCKET = "bare"
SSE = "sse"
