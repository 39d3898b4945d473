import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import { resumableUpdates } from "kvs-graphql-client";
import { tap } from "rxjs";

export function connect(url) {
  const cache = new InMemoryCache();
  const socket = createClient({ url: url.replace("http", "ws"), keepAlive: 10_000 });
  const resumable = (request, sink) => resumableUpdates(socket, request, sink);
  const evictDeleted = ({ data }) => {
    const id = data?.updates?.kind === "DELETE" ? data.updates.entryId : data?.delete?.entryId;
    if (id) cache.evict({ id: cache.identify({ __typename: "Entry", id }) });
  };
  const link = ApolloLink.split(
    ({ operationType }) => operationType === "subscription",
    new GraphQLWsLink({ subscribe: resumable }),
    new HttpLink({ uri: url }),
  );
  const evicting = new ApolloLink((operation, forward) =>
    forward(operation).pipe(tap(evictDeleted)),
  );
  return new ApolloClient({ cache, link: evicting.concat(link) });
}
