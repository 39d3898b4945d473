"""The live end, in memory: what was committed last, and who is told of it."""

from kvs_graphql.feed.feed import Behind, Feed, Watcher
from kvs_graphql.feed.pushes import Encode, Flush, Push
from kvs_graphql.feed.updates import Kind, Update

__all__ = ["Behind", "Encode", "Feed", "Flush", "Kind", "Push", "Update", "Watcher"]
