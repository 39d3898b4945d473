import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { documents } from "./documents.js";

const parsed = (name) => gql(documents[name].replace("@deleteRecord", ""));

export function open(url, socket) {
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
  const overWebSocket = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
    }),
  });
  const client = new Client({ url, exchanges: [cache, fetchExchange, overWebSocket] });

  async function run(method, name, variables, requestPolicy) {
    const { data } = await client[method](parsed(name), variables, { requestPolicy }).toPromise();
    return data;
  }

  return {
    query: (name, variables) => run("query", name, variables, "network-only"),
    read: (name, variables) => run("query", name, variables, "cache-only"),
    mutate: (name, variables) => run("mutation", name, variables),
    watch(variables, next) {
      const updates = client.subscription(parsed("updates"), variables);
      updates.subscribe(({ data }) => next(data.updates.kind));
    },
  };
}
