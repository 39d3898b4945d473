import { createClient as createSse } from "graphql-sse";
import { createClient } from "graphql-ws";
import { fetchUntilSilent, resumableUpdates } from "kvs-graphql-client";
import relay from "relay-runtime";

const { Environment, Network, Observable, RecordSource, Store } = relay;

export function connect(url, transport = "WebSocket") {
  const client =
    transport === "WebSocket"
      ? createClient({ url: url.replace("http", "ws"), keepAlive: 10_000 })
      : createSse({ url, fetchFn: fetchUntilSilent() });
  const headers = { "content-type": "application/json" };
  const network = Network.create(
    async ({ text: query }, variables) => {
      const body = JSON.stringify({ query, variables });
      return (await fetch(url, { method: "POST", headers, body })).json();
    },
    ({ text: query }, variables) =>
      Observable.create((sink) => resumableUpdates(client, { query, variables }, sink)),
  );
  return new Environment({ network, store: new Store(new RecordSource()) });
}

/** The `updater` of a subscription to `updates`. Mutations use `delete(key: …) { entryId @deleteRecord }`. */
export function deleteRecord(store) {
  const update = store.getRootField("updates");
  if (update.getValue("kind") === "DELETE") store.delete(update.getValue("entryId"));
}
