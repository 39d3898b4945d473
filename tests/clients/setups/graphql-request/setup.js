import { GraphQLClient } from "graphql-request";

export function connect(url) {
  const client = new GraphQLClient(url);
  return {
    execute: async (query, variables) => ({ data: await client.request(query, variables) }),
  };
}
