import { buildSchema, graphqlSync } from "graphql";
import { type Operation } from "../../src/dashboard/model/session";
import { shapeOf, type TableShape } from "../../src/dashboard/model/shape";

/** Tables with typed values, with typed keys, and with neither. */
export const SCHEMA = buildSchema(`
  scalar Int64
  scalar Decimal
  scalar Date
  scalar JSON
  type Query { ordersValue: OrdersEntry plainValue: PlainEntry placesValue: PlacesEntry }
  type Subscription {
    ordersUpdates(keys: [Int64!], after: String): OrdersEntry
    plainUpdates(keys: [String!], prefix: String, keyEncoding: String! = "UTF8"): PlainEntry
    rowsUpdates(keys: [String!], prefix: String, keyEncoding: String! = "UTF8"): RowsEntry
    placesUpdates(keys: [PlacesKeyInput!]): PlacesEntry
    countsUpdates(keys: [Int!]): CountsEntry
  }
  type CountsEntry { keyData: Int }
  type RowsEntry { key: String! keyData: JSON }
  type PlainEntry { key: String! }
  type OrdersEntry { key: String! keyData: Int64 data: Orders }
  type Orders {
    id_: String! amount: Int64! price: Decimal! placed: Date colour: Colour! count: Int!
    tags: [Tag!]! lines: [Line!]! payment: Payment replaces: Orders
  }
  enum Colour { RED GREEN }
  type Tag { key: String! value: Int64! }
  type Line { product: String! }
  union Payment = Card | TextValue | NumberValue
  type Card { value: String! holder: String! }
  type TextValue { value: String! }
  type NumberValue { value: Int64! }
  type PlacesEntry { keyData: PlacesKey }
  type PlacesKey { region: String! number: Int64! tags: [Tag!]! kind: Kind inside: PlacesKey }
  union Kind = Card | TextValue | NumberValue
  input PlacesKeyInput {
    region: String! number: Int64! tags: [TagInput!]! kind: KindInput inside: PlacesKeyInput
  }
  input TagInput { key: String! value: Int64! }
  input KindInput @oneOf { card: CardInput text: String number: Int64 }
  input CardInput { value: String! holder: String! }
`);

/** Returns the shape that the page learns of a table. */
export function shapeIn(table: string): Promise<TableShape> {
  const query = <Result, Variables extends Record<string, unknown>>({
    document,
    variables,
  }: Operation<Result, Variables>): Promise<Result> => {
    const answer = graphqlSync({
      schema: SCHEMA,
      source: document.toString(),
      variableValues: variables,
    });
    if (answer.errors) throw new Error(answer.errors.join());
    return Promise.resolve(answer.data as Result);
  };
  return shapeOf({ query }, table);
}

const ORDERS = await shapeIn("orders");
const PLACES = await shapeIn("places");

export function orders(): TableShape {
  return ORDERS;
}

export function places(): TableShape {
  return PLACES;
}
