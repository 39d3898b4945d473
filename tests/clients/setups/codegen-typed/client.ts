import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { GraphQLClient } from "graphql-request";
import { order, place, setOrder, setPlace } from "./operations.js";

type Entry = NonNullable<ResultOf<typeof order>["ordersValue"]>;
type Order = NonNullable<Entry["data"]>;
type Payment = NonNullable<Order["payment"]>;

// What a schema says is what TypeScript knows: this does not compile otherwise.
type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const types: [
  Equal<VariablesOf<typeof order>["key"], string | number>,
  Equal<Entry["keyData"], string | null>,
  Equal<Order["amount"], string>,
  Equal<Order["price"], string>,
  Equal<`${Order["colour"]}`, "RED" | "GREEN">,
  Equal<Order["tags"][number]["value"], string>,
  Equal<Extract<Payment, { __typename: "OrdersCard" }>["holder"], string>,
] = [true, true, true, true, true, true, true];

type Data = VariablesOf<typeof setOrder>["data"];
type Place = VariablesOf<typeof setPlace>["key"];

/** Writes an order and a place, and returns what is read then. */
export async function run(url: string, key: string, data: Data, where: Place) {
  const client = new GraphQLClient(url);
  const { ordersSet } = await client.request(setOrder, { key, data });
  const { placesSet } = await client.request(setPlace, { key: where, value: "true" });
  const { ordersValue } = await client.request(order, { key, atLeast: ordersSet?.cursor });
  const { placesValue } = await client.request(place, { key: where, atLeast: placesSet?.cursor });
  return { order: ordersValue, place: placesValue };
}
