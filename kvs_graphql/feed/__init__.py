"""The live end, in memory: what was committed last, and who watches it."""

from kvs_graphql.feed.delivery import Flush, Sink
from kvs_graphql.feed.feed import Feed
from kvs_graphql.feed.log import LogBudget
from kvs_graphql.feed.updates import Kind, Update, kind_of
from kvs_graphql.feed.watcher import Watcher, WatcherState

__all__ = ["Feed", "Flush", "Kind", "LogBudget", "Sink", "Update", "Watcher", "WatcherState", "kind_of"]
