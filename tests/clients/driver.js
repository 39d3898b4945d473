// Runs the real clients for the tests. Reads commands and writes events as lines of JSON.
import { createInterface } from "node:readline";
import { createClient as eventsClient } from "graphql-sse";
import { createClient as socketClient } from "graphql-ws";
import { fetchUntilSilent, resumableUpdates } from "kvs-graphql-client";
import WebSocket from "ws";

// A short pause for the clients' own retries, whose default is long.
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const clients = new Map();
const subscriptions = new Map();

const open = {
  "graphql-ws": ({ url, ...options }) =>
    socketClient({
      url: url.replace("http", "ws"),
      webSocketImpl: WebSocket,
      retryWait: pause,
      ...options,
    }),
  "graphql-sse": ({ silenceMsMax, ...options }) =>
    eventsClient({
      retry: pause,
      ...(silenceMsMax && { fetchFn: fetchUntilSilent(silenceMsMax) }),
      ...options,
    }),
};

const commands = {
  open({ client, kind, ...options }) {
    clients.set(client, open[kind](options));
  },
  subscribe({ client, subscription, resumable, ...request }) {
    const emit = (event, payload) => console.log(JSON.stringify({ subscription, event, payload }));
    const sink = {
      next: (result) => emit("next", result),
      error: (reason) => emit("error", plain(reason)),
      complete: () => emit("complete"),
      state: (state) => emit("state", state),
    };
    const subscribe = resumable
      ? resumableUpdates
      : (client, ...rest) => client.subscribe(...rest);
    subscriptions.set(subscription, subscribe(clients.get(client), request, sink));
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
  return { name: reason.name ?? reason.type, message: reason.message, code: reason.code };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...command } = JSON.parse(line);
  commands[name](command);
}
process.exit();
