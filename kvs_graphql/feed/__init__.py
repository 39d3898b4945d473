"""The live end, in memory: what was committed last, and who is told of it."""

from kvs_graphql.feed.feed import Feed, FellBehind, Watcher
from kvs_graphql.feed.pushes import Encode, Flush, Push
from kvs_graphql.feed.updates import Kind, Update

__all__ = ["Encode", "Feed", "FellBehind", "Flush", "Kind", "Push", "Update", "Watcher"]
