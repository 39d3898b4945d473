import { createClient } from "graphql-sse";
import { fetchUntilSilent, resumableUpdates } from "kvs-graphql-client";

export function connect(url) {
  const client = createClient({ url, singleConnection: true, fetchFn: fetchUntilSilent() });
  return {
    /** Resolves to the first result: of a query or a mutation. */
    async execute(query, variables) {
      for await (const result of client.iterate({ query, variables })) return result;
    },
    /** Subscribes to `updates`; see the README of kvs-graphql-client. */
    subscribe: (query, variables, sink) => resumableUpdates(client, { query, variables }, sink),
  };
}
