import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client/core/index.js";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions/index.js";
import { createClient } from "graphql-ws";
import { resumableUpdates } from "kvs-graphql-client";

export function connect(url) {
  const cache = new InMemoryCache();
  const socket = createClient({ url: url.replace("http", "ws"), keepAlive: 10_000 });
  const resumable = (request, sink) => resumableUpdates(socket, request, sink);
  const evictDeleted = ({ data }) => {
    const id = data?.updates?.kind === "DELETE" ? data.updates.entryId : data?.delete?.entryId;
    if (id) cache.evict({ id: cache.identify({ __typename: "Entry", id }) });
  };
  const link = ApolloLink.split(
    ({ query }) => query.definitions.some(({ operation }) => operation === "subscription"),
    new GraphQLWsLink({ subscribe: resumable }),
    new HttpLink({ uri: url }),
  );
  const evicting = new ApolloLink((operation, forward) =>
    forward(operation).map((result) => {
      evictDeleted(result);
      return result;
    }),
  );
  return new ApolloClient({ cache, link: evicting.concat(link) });
}
