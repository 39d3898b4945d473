import { graphql } from "./gql/index.js";

export const value = graphql(`
  query Value($key: String!) {
    value(key: $key) {
      id
      value
      json
      offset
      timestamp
    }
  }
`);

export const set = graphql(`
  mutation Set($key: String!, $value: String!) {
    set(key: $key, value: $value) {
      cursor
      entry {
        value
      }
    }
  }
`);

export const remove = graphql(`
  mutation Remove($key: String!) {
    delete(key: $key) {
      cursor
    }
  }
`);
