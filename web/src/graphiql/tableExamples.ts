import { EXAMPLES } from "./examples";
import { type Table, tableField } from "./tables";

const ROOT_FIELD = /(?<=\{\s*)(entries|value|updates)(?=\()/;

/**
 * Returns the tabs for first-time visitors of a service with these tables: about the first, and one about two of them.
 * One entry is asked of a table with keys that are texts, for those of others have to be given in their types.
 */
export function examplesOf(tables: readonly Table[]): typeof EXAMPLES {
  const [first = null, second] = tables.map(({ name }) => name);
  const withTexts = tables.find(({ textKeys }) => textKeys);
  const examples = EXAMPLES.flatMap(({ query, ...rest }) => {
    const isAboutKey = query?.includes("$key: String!");
    if (isAboutKey && withTexts === undefined) return [];
    const table = isAboutKey && withTexts !== undefined ? withTexts.name : first;
    return {
      ...rest,
      query: query?.replace(ROOT_FIELD, (field) => tableField(table, field)) ?? null,
    };
  });
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
