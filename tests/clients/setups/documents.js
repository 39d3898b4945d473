// The operations of the tests. relay-compiler reads them here; the other clients parse them.
const graphql = (text) => text[0];

export const documents = {
  value: graphql`
    query documentsValueQuery($key: String!) {
      value(key: $key) {
        id
        value
      }
    }
  `,
  history: graphql`
    query documentsHistoryQuery($key: String!) {
      value(key: $key) {
        id
        value
        history {
          kind
          value
        }
      }
    }
  `,
  set: graphql`
    mutation documentsSetMutation($key: String!, $value: String!) {
      set(key: $key, value: $value) {
        entryId
        entry {
          id
          value
          history {
            kind
            value
          }
        }
      }
    }
  `,
  delete: graphql`
    mutation documentsDeleteMutation($key: String!) {
      delete(key: $key) {
        entryId @deleteRecord
      }
    }
  `,
  updates: graphql`
    subscription documentsUpdatesSubscription($keys: [String!], $after: Cursor) {
      updates(keys: $keys, after: $after, progress: true) {
        kind
        entryId
        cursor
        entry {
          id
          value
        }
      }
    }
  `,
};

/** The documents without the directive that only Relay knows. */
export const plain = Object.fromEntries(
  Object.entries(documents).map(([name, text]) => [name, text.replace("@deleteRecord", "")]),
);
