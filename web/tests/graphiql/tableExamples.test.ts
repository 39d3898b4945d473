import { type DocumentNode, Kind, type OperationDefinitionNode, parse } from "graphql";
import { expect, test } from "vitest";
import { EXAMPLES } from "../../src/graphiql/examples";
import { examplesOf } from "../../src/graphiql/tableExamples";

function rootFields({ definitions }: DocumentNode): string[] {
  return definitions
    .filter((one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION)
    .flatMap(({ selectionSet }) => selectionSet.selections)
    .map((field) => (field.kind === Kind.FIELD ? field.name.value : ""));
}

function fieldsOf(tables: (string | null)[]): string[][] {
  return examplesOf(tables).map(({ query }) => rootFields(parse(query ?? "")));
}

test("the only table of a service is asked by fields without a name", () => {
  expect(examplesOf([null])).toEqual(EXAMPLES);
  expect(fieldsOf([null])).toEqual([["status"], ["entries"], ["value"], ["updates"]]);
});

test("a named table is asked by its own fields", () => {
  expect(fieldsOf(["orders"])).toEqual([
    ["status"],
    ["ordersEntries"],
    ["ordersValue"],
    ["ordersUpdates"],
  ]);
});

test("one example is about two tables", () => {
  expect(fieldsOf(["orders", "orderItems", "customers"]).at(-1)).toEqual([
    "ordersEntries",
    "orderItemsEntries",
  ]);
});
