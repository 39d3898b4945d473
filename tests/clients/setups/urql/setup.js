import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { createClient } from "graphql-ws";
import { resumableUpdates } from "kvs-graphql-client";

export function connect(url) {
  const socket = createClient({ url: url.replace("http", "ws"), keepAlive: 10_000 });
  const overWebSocket = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: resumableUpdates(socket, { query, variables }, sink) }),
    }),
  });
  const evict = (cache, id) => cache.invalidate({ __typename: "Entry", id });
  const cache = cacheExchange({
    keys: { Revision: () => null, Update: () => null, Write: () => null },
    updates: {
      Mutation: {
        delete: (result, _, cache) => evict(cache, result.delete.entryId),
      },
      Subscription: {
        updates({ updates: { kind, entryId } }, _, cache) {
          if (kind === "DELETE") evict(cache, entryId);
        },
      },
    },
  });
  return new Client({
    url,
    preferGetMethod: false,
    exchanges: [cache, fetchExchange, overWebSocket],
  });
}
