import { Client, fetchExchange, gql } from "@urql/core";
import { plain } from "../documents.js";
import { connect } from "./setup.js";

const documents = Object.fromEntries(
  Object.entries(plain).map(([name, text]) => [name, gql(text)]),
);

export function open(url) {
  const client = connect(url);
  const overHttp = new Client({
    url,
    preferGetMethod: false,
    fetchSubscriptions: true,
    exchanges: [fetchExchange],
  });

  async function query(name, key, requestPolicy) {
    const options = { requestPolicy };
    return (await client.query(documents[name], { key }, options).toPromise()).data?.value;
  }

  async function mutate(name, variables) {
    return (await client.mutation(documents[name], variables).toPromise()).data[name];
  }

  async function written(key, value) {
    return (await mutate("set", { key, value })).entry;
  }

  return {
    query: async (key) => (await query("value", key, "network-only"))?.value,
    history: (key) => query("history", key, "network-only"),
    cached: async (key) => (await query("value", key, "cache-only"))?.value,
    written,
    set: async (key, value) => (await written(key, value)).value,
    async delete(key) {
      await mutate("delete", { key });
    },
    subscribe(transport, key, next) {
      const subscriber = transport === "WebSocket" ? client : overHttp;
      const updates = subscriber.subscription(documents.updates, { keys: [key] });
      return updates.subscribe(({ data }) => next(data.updates)).unsubscribe;
    },
  };
}
