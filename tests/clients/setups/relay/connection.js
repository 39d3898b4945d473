// A list of entries in pages, as Relay's compiler and runtime keep it.
import relay from "relay-runtime";

const { ConnectionHandler, commitLocalUpdate, commitMutation, fetchQuery } = relay;
const graphql = (text) => text[0];
const KEY = "connection_entries";

export const documents = [
  graphql`
    query connectionQuery($prefix: String!) {
      ...connectionEntries @arguments(prefix: $prefix)
    }
  `,
  graphql`
    fragment connectionEntries on Query
    @argumentDefinitions(
      prefix: { type: "String!" }
      first: { type: "Int", defaultValue: 2 }
      after: { type: "String" }
    )
    @refetchable(queryName: "connectionPageQuery") {
      entries(prefix: $prefix, first: $first, after: $after)
        @connection(key: "connection_entries") {
        edges {
          node {
            ...connectionEntry
          }
        }
      }
    }
  `,
  graphql`
    fragment connectionEntry on Entry @refetchable(queryName: "connectionEntryQuery") {
      value
    }
  `,
  graphql`
    mutation connectionSetMutation($key: String!, $value: String!, $connections: [ID!]!) {
      set(key: $key, value: $value) {
        entry @appendNode(connections: $connections, edgeTypeName: "EntryEdge") {
          ...connectionEntry
        }
      }
    }
  `,
];

/** The prefix of a key ends at its first slash. */
export function connectionOperations(environment, compiled) {
  const fetched = (name, variables) =>
    fetchQuery(environment, compiled[name], variables).toPromise();

  function read(prefix, take) {
    let taken;
    commitLocalUpdate(environment, (store) => {
      taken = take(ConnectionHandler.getConnection(store.getRoot(), KEY, { prefix }));
    });
    return taken;
  }

  const nodes = (connection) =>
    connection
      .getLinkedRecords("edges")
      .map((edge) => edge.getLinkedRecord("node"))
      .filter((node) => node);
  const listed = (prefix) =>
    read(prefix, (connection) => nodes(connection).map((node) => node.getValue("value")));

  return {
    async page(prefix) {
      await fetched("connectionQuery", { prefix });
      return listed(prefix);
    },
    async nextPage(prefix) {
      const [more, after] = read(prefix, (connection) => {
        const info = connection.getLinkedRecord("pageInfo");
        return [info.getValue("hasNextPage"), info.getValue("endCursor")];
      });
      if (more) await fetched("connectionPageQuery", { prefix, first: 2, after });
      return listed(prefix);
    },
    listed,
    async refetch(id) {
      await fetched("connectionEntryQuery", { id });
    },
    async append(key, value) {
      const prefix = `${key.split("/")[0]}/`;
      const connections = [ConnectionHandler.getConnectionID("client:root", KEY, { prefix })];
      const variables = { key, value, connections };
      const mutation = compiled.connectionSetMutation;
      await new Promise((onCompleted, onError) => {
        commitMutation(environment, { mutation, variables, onCompleted, onError });
      });
      return listed(prefix);
    },
  };
}
