"""Operations that need no executor of their own: compiled once, run many times."""

from kvs_graphql.executor.compiled.arguments import Bound, Given, NotCompilable
from kvs_graphql.executor.compiled.displays import Show
from kvs_graphql.executor.compiled.operations import CompiledOperation, Result, RootField, compile_operation

__all__ = ["Bound", "CompiledOperation", "Given", "NotCompilable", "Result", "RootField", "Show", "compile_operation"]
