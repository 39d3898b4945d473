import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "http://127.0.0.1:8000/graphql", // or the file at /schema.graphql
  documents: ["src/**/*.ts"],
  emitLegacyCommonJSImports: false, // for Node.js; bundlers do not need it
  generates: {
    "src/gql/": {
      preset: "client",
      config: {
        useTypeImports: true,
        scalars: {
          Cursor: "string",
          DateTime: "string",
          JSON: "unknown",
          Long: "number", // offsets and sizes, exact up to 2^53
          // Of tables with a schema:
          Base64: "string",
          Date: "string",
          Decimal: "string",
          Duration: "string",
          Int64: { input: "string | number", output: "string" }, // numbers are exact up to 2^53
          LocalDateTime: "string",
          Time: "string",
          UUID: "string",
        },
      },
    },
  },
};

export default config;
