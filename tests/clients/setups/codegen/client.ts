import type { ResultOf } from "@graphql-typed-document-node/core";
import { GraphQLClient } from "graphql-request";
import { remove, set, value } from "./operations.js";

type Entry = NonNullable<ResultOf<typeof value>["value"]>;

// The scalars have the types of codegen.ts: this does not compile otherwise.
type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const scalars: [
  Equal<Entry["offset"], number>,
  Equal<Entry["timestamp"], string | null>,
  Equal<Entry["json"], unknown>,
  Equal<NonNullable<ResultOf<typeof set>["set"]>["cursor"], string>,
] = [true, true, true, true];

export function open(url: string) {
  const client = new GraphQLClient(url);
  return {
    query: async (key: string) => (await client.request(value, { key })).value?.value,
    set: async (key: string, text: string) =>
      (await client.request(set, { key, value: text })).set?.entry?.value,
    delete: async (key: string) => {
      await client.request(remove, { key });
    },
  };
}
