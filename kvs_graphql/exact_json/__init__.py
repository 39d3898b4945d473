"""JSON whose numbers stay as they were written, whatever their size and precision."""

from kvs_graphql.exact_json.large import LargeJson, TooDeep, parse
from kvs_graphql.exact_json.scan import NotJsonText
from kvs_graphql.exact_json.text import ExactJson

__all__ = ["ExactJson", "LargeJson", "NotJsonText", "TooDeep", "parse"]
