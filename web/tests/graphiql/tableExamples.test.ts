import { type DocumentNode, Kind, type OperationDefinitionNode, parse } from "graphql";
import { expect, test } from "vitest";
import { EXAMPLES } from "../../src/graphiql/examples";
import { examplesOf } from "../../src/graphiql/tableExamples";
import type { Table } from "../../src/graphiql/tables";

function rootFields({ definitions }: DocumentNode): string[] {
  return definitions
    .filter((one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION)
    .flatMap(({ selectionSet }) => selectionSet.selections)
    .map((field) => (field.kind === Kind.FIELD ? field.name.value : ""));
}

const text = (name: string | null) => ({ name, textKeys: true });
const typed = (name: string | null) => ({ name, textKeys: false });

function fieldsOf(tables: Table[]): string[][] {
  return examplesOf(tables).map(({ query }) => rootFields(parse(query ?? "")));
}

test("the only table of a service is asked by fields without a name", () => {
  expect(examplesOf([text(null)])).toEqual(EXAMPLES);
  expect(fieldsOf([text(null)])).toEqual([["status"], ["entries"], ["value"], ["updates"]]);
});

test("a named table is asked by its own fields", () => {
  expect(fieldsOf([text("orders")])).toEqual([
    ["status"],
    ["ordersEntries"],
    ["ordersValue"],
    ["ordersUpdates"],
  ]);
});

test("one example is about two tables", () => {
  expect(fieldsOf(["orders", "orderItems", "customers"].map(text)).at(-1)).toEqual([
    "ordersEntries",
    "orderItemsEntries",
  ]);
});

test("one entry is asked of a table whose keys are texts", () => {
  expect(fieldsOf([typed("orders"), text("customers")])).toEqual([
    ["status"],
    ["ordersEntries"],
    ["customersValue"],
    ["ordersUpdates"],
    ["ordersEntries", "customersEntries"],
  ]);
  expect(fieldsOf([typed("orders")])).toEqual([["status"], ["ordersEntries"], ["ordersUpdates"]]);
});
