import { parse } from "graphql";
import { expect, test } from "vitest";
import { EXAMPLES } from "../../src/graphiql/examples";

test.each(EXAMPLES)("example %# has one named operation", ({ query }) => {
  const { definitions } = parse(query ?? "");
  expect(definitions).toMatchObject([{ kind: "OperationDefinition", name: { kind: "Name" } }]);
});
