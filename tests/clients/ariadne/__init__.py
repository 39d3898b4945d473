"""The clients that ariadne-codegen generates, which run in an environment of their own."""
