import { EXAMPLES } from "./examples";
import { tableField } from "./tables";

const ROOT_FIELD = /(?<=\{\s*)(entries|value|updates)(?=\()/;

/** Returns the tabs for first-time visitors of a service with these tables: about the first, and one about two of them. */
export function examplesOf([first = null, second]: readonly (string | null)[]): typeof EXAMPLES {
  const examples = EXAMPLES.map(({ query, ...rest }) => ({
    ...rest,
    query: query?.replace(ROOT_FIELD, (field) => tableField(first, field)) ?? null,
  }));
  return second == null ? examples : [...examples, { query: aboutTwo(first, second) }];
}

function aboutTwo(...tables: (string | null)[]): string {
  const fields = tables.map(
    (table) => `  ${tableField(table, "entries")}(first: 5) {
    edges {
      node {
        key
        json
      }
    }
  }
`,
  );
  return `# Two tables in one request.
query TwoTables {
${fields.join("")}}
`;
}
