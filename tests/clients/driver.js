// Runs the real clients for the tests: commands come as lines of JSON, and what the clients tell goes out as such.
import { createInterface } from "node:readline";
import { createClient as eventsClient } from "graphql-sse";
import { createClient as socketClient } from "graphql-ws";
import { fetchUntilSilent, resumableUpdates } from "kvs-graphql-client";
import WebSocket from "ws";

// Of the clients' own retries, whose default pauses are long.
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
    const tell = (event, told) => console.log(JSON.stringify({ subscription, event, told }));
    const sink = {
      next: (result) => tell("next", result),
      error: (reason) => tell("error", plain(reason)),
      complete: () => tell("complete"),
      state: (state) => tell("state", state),
    };
    const subscribe = resumable
      ? resumableUpdates
      : (chosen, ...wanted) => chosen.subscribe(...wanted);
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

/** GraphQL's errors as they are; of any other what JSON would leave out. */
function plain(reason) {
  if (Array.isArray(reason)) return reason;
  return { name: reason.name ?? reason.type, message: reason.message, code: reason.code };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...command } = JSON.parse(line);
  commands[name](command);
}
process.exit();
