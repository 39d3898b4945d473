"""Text for terminals and for lines of a log: none of its characters ends a line or moves what stands beside it.

Keys, values and error messages hold whatever a client or a producer sent. Printed as they are, they could command the
terminal (ESC, C1), add lines (newlines, U+2028), overwrite some (CR), or show in another order than they have
(bidirectional controls).
"""

import json
import re
from collections.abc import Callable
from typing import Any
from unicodedata import category

# Unicode's controls, format characters, surrogates, and separators of lines and of paragraphs.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters within words of many scripts and within emoji: they join the letters beside them, or part them.
_JOINERS = "\u200c\u200d"
_NOT_ASCII = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    r"""Return the text on one line, with `\n`, `\x1b` or `\u202e` in place of each character that is not safe to print.

    A backslash stays as it is, so the result does not tell an escape from the same characters in the text.
    """
    return text if text.isprintable() else _NOT_ASCII.sub(_escape, text)


def printable_lines(text: str) -> str:
    """Return the text with its own line breaks, and every line of it printable."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(value: object, *, only_ascii: bool = False, default: Callable[[Any], Any] | None = None) -> str:
    r"""Return the value as JSON on one line, with `\u` escapes for what is not safe to print; so it stays exact.

    A lone surrogate has no exact form that every parser takes; it becomes the text of its escape.

    Args:
        only_ascii: Escape all other characters as well.
        default: Called for each object that JSON does not know; returns one that it knows.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default)
    return _NOT_ASCII.sub(_escape_all_in_json if only_ascii else _escape_in_json, text)


def _is_safe(character: str) -> bool:
    return category(character) not in _UNSAFE or character in _JOINERS


def _escape(found: re.Match[str]) -> str:
    return found[0] if _is_safe(found[0]) else found[0].encode("unicode_escape").decode()


def _escape_in_json(found: re.Match[str]) -> str:
    return found[0] if _is_safe(found[0]) else _escape_all_in_json(found)


def _escape_all_in_json(found: re.Match[str]) -> str:
    escaped = json.dumps(found[0])[1:-1] if found[0] != "\x7f" else r"\u007f"
    return f"\\{escaped}" if category(found[0]) == "Cs" else escaped
