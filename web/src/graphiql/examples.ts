import type { GraphiQLProps } from "graphiql";

/** The tabs a first-time visitor finds. */
export const EXAMPLES: NonNullable<GraphiQLProps["defaultTabs"]> = [
  {
    query: `# Is the service ready, and how far behind Kafka is it?
query Status {
  status {
    topic
    ready
    state
    entries
    lag
  }
}
`,
  },
  {
    query: `# The first page of entries, in the order of their keys.
query FirstEntries {
  entries(first: 10) {
    edges {
      node {
        key
        value
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
    query: `# One key, or null. Its name is in the Variables below.
query OneValue($key: String!) {
  value(key: $key) {
    key
    value
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
    query: `# Every entry now, then every change as it arrives.
subscription Watch {
  updates(snapshot: true) {
    kind
    key
    cursor
    entry {
      value
    }
  }
}
`,
  },
];
