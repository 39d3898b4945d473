import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client/core/index.js";
import { plain } from "../documents.js";
import { connect } from "./setup.js";

const documents = Object.fromEntries(
  Object.entries(plain).map(([name, text]) => [name, gql(text)]),
);

export function open(url) {
  const client = connect(url);
  // Subscriptions over HTTP alone, which Apollo's link asks for as multipart.
  const overHttp = new ApolloClient({ cache: client.cache, link: new HttpLink({ uri: url }) });

  async function query(name, key) {
    const options = { query: documents[name], variables: { key }, fetchPolicy: "network-only" };
    return (await client.query(options)).data.value;
  }

  async function mutate(name, variables) {
    return (await client.mutate({ mutation: documents[name], variables })).data[name];
  }

  async function written(key, value) {
    return (await mutate("set", { key, value })).entry;
  }

  return {
    query: async (key) => (await query("value", key))?.value,
    history: (key) => query("history", key),
    cached: (key) => client.readQuery({ query: documents.value, variables: { key } })?.value?.value,
    written,
    set: async (key, value) => (await written(key, value)).value,
    async delete(key) {
      await mutate("delete", { key });
    },
    subscribe(transport, key, next) {
      const request = { query: documents.updates, variables: { keys: [key] } };
      const updates = (transport === "multipart" ? overHttp : client).subscribe(request);
      const subscription = updates.subscribe(({ data }) => next(data.updates));
      return () => subscription.unsubscribe();
    },
  };
}
