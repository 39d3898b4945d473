"""JSON whose numbers stay as they were written, whatever their size and precision, and however deep it is nested."""

from kvs_graphql.exact_json.scan import NotJsonText
from kvs_graphql.exact_json.text import ExactJson

__all__ = ["ExactJson", "NotJsonText"]
