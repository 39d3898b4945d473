import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { documents } from "./documents.js";

const parsed = (name) => gql(documents[name].replace("@deleteRecord", ""));

export function open(url, socket) {
  const link = ApolloLink.split(
    ({ operationType }) => operationType === "subscription",
    new GraphQLWsLink(socket),
    new HttpLink({ uri: url }),
  );
  const cache = new InMemoryCache();
  const client = new ApolloClient({ cache, link });

  function evict(id) {
    cache.evict({ id: cache.identify({ __typename: "Entry", id }) });
    cache.gc();
  }

  return {
    async query(name, variables) {
      const query = parsed(name);
      const { data } = await client.query({ query, variables, fetchPolicy: "network-only" });
      return data;
    },
    read(name, variables) {
      return client.readQuery({ query: parsed(name), variables });
    },
    async mutate(name, variables) {
      const { data } = await client.mutate({ mutation: parsed(name), variables });
      if (name === "delete") evict(data.delete.entryId);
      return data;
    },
    watch(variables, next) {
      client.subscribe({ query: parsed("updates"), variables }).subscribe(({ data }) => {
        const { kind, entryId } = data.updates;
        if (kind === "DELETE") evict(entryId);
        next(kind);
      });
    },
  };
}
