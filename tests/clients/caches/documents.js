// The operations of the tests. relay-compiler reads them here; the other clients parse them.
const graphql = (text) => text[0];

export const documents = {
  value: graphql`
    query documentsValueQuery($key: String!) {
      value(key: $key) {
        __typename
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
    subscription documentsUpdatesSubscription($keys: [String!]) {
      updates(keys: $keys, progress: true) {
        kind
        entryId
        entry {
          id
          value
        }
      }
    }
  `,
};
