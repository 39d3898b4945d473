import { existsSync, readFileSync } from "node:fs";
import { buildSchema, parse, validate } from "graphql";
import { expect, test } from "vitest";
import { HISTORY, STATUS, UPDATES } from "../../src/dashboard/model/operations";

const SCHEMA = new URL("../../../schema.graphql", import.meta.url);

test.each([
  ["updates", UPDATES],
  ["status", STATUS],
  ["history", HISTORY],
])("the document of %s is GraphQL of one named operation", (_name, document) => {
  const { definitions } = parse(document);
  expect(definitions).toMatchObject([{ kind: "OperationDefinition", name: { kind: "Name" } }]);
});

test.skipIf(!existsSync(SCHEMA)).each([
  ["updates", UPDATES],
  ["status", STATUS],
  ["history", HISTORY],
])("the service's schema answers the document of %s", (_name, document) => {
  const schema = buildSchema(readFileSync(SCHEMA, "utf8"));
  expect(validate(schema, parse(document))).toEqual([]);
});
