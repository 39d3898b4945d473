import type { GraphiQLProps } from "graphiql";

/** The tabs for first-time visitors. */
export const EXAMPLES: NonNullable<GraphiQLProps["defaultTabs"]> = [
  {
    query: `# Is the service ready, and how far is it behind Kafka?
query Status {
  status {
    ready
    state
    entries
    lag
    tables {
      topic
      state
    }
  }
}
`,
  },
  {
    query: `# The first entries in key order. A value that is not JSON is in \`value\`.
query FirstEntries {
  entries(first: 10) {
    edges {
      node {
        key
        json
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
  },
  {
    query: `# One entry, or null. Set the key in Variables below.
query OneValue($key: String!) {
  value(key: $key) {
    key
    json
    partition
    offset
    timestamp
  }
}
`,
    variables: `{
  "key": "memory"
}
`,
  },
  {
    query: `# All entries, then every change as it arrives.
subscription Watch {
  updates(snapshot: true) {
    kind
    key
    cursor
    entry {
      json
    }
  }
}
`,
  },
];
