"""One test for each kind of hole that other GraphQL servers had; docs/known-holes.md has the list."""
