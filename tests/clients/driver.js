// Runs the real clients for the tests. Reads commands and writes events as lines of JSON.
import { createInterface } from "node:readline";
import { createClient as eventsClient } from "graphql-sse";
import { createClient as socketClient } from "graphql-ws";
import { authorizeBy, fetchUntilSilent, resumableUpdates } from "kvs-graphql-client";
import WebSocket from "ws";

// A short pause for the clients' own retries, whose default is long.
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const clients = new Map();
const authorizations = new Map();
const tokens = new Map();
const subscriptions = new Map();

function authorizationOf(client) {
  return authorizeBy((refused) => {
    console.log(JSON.stringify({ client, payload: refused }));
    return new Promise((resolve) => tokens.set(client, resolve));
  });
}

const open = {
  "graphql-ws": ({ url, authorization, ...options }) =>
    socketClient({
      url: url.replace("http", "ws"),
      webSocketImpl: WebSocket,
      retryWait: pause,
      ...(authorization && { connectionParams: authorization }),
      ...options,
    }),
  "graphql-sse": ({ silenceMsMax, authorization, ...options }) =>
    eventsClient({
      retry: pause,
      ...(authorization && { headers: authorization }),
      ...(silenceMsMax && { fetchFn: fetchUntilSilent(silenceMsMax) }),
      ...options,
    }),
  "graphql-sse on one connection": (options) =>
    open["graphql-sse"]({ singleConnection: true, ...options }),
};

const commands = {
  open({ client, kind, renews, ...options }) {
    const authorization = renews ? authorizationOf(client) : undefined;
    authorizations.set(client, authorization);
    clients.set(client, open[kind]({ authorization, ...options }));
  },
  token({ client, token }) {
    tokens.get(client)(token);
  },
  subscribe({ client, subscription, resumable, ...request }) {
    const emit = (event, payload) => console.log(JSON.stringify({ subscription, event, payload }));
    const sink = {
      next: (result) => emit("next", result),
      error: (reason) => emit("error", plain(reason)),
      complete: () => emit("complete"),
      state: (state) => emit("state", state),
    };
    const [opened, authorization] = [clients.get(client), authorizations.get(client)];
    subscriptions.set(
      subscription,
      resumable
        ? resumableUpdates(opened, request, sink, { authorization })
        : opened.subscribe(request, sink),
    );
  },
  unsubscribe({ subscription }) {
    subscriptions.get(subscription)();
  },
  close({ client }) {
    clients.get(client).dispose();
    clients.delete(client);
  },
};

/** GraphQL errors as they are; of any other error, the properties that JSON would omit. */
function plain(reason) {
  if (Array.isArray(reason)) return reason;
  return {
    name: reason.name ?? reason.type,
    message: reason.message,
    code: reason.code,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...command } = JSON.parse(line);
  commands[name](command);
}
process.exit();
