"""What goes wrong with traces through no fault of ours, in words for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class TraceError(Exception):
    """A trace that cannot be read or written, a filter or a query that makes no sense. The message is for the user."""


def suggestion(word: str, words: Iterable[str]) -> str:
    """`` (did you mean `x`?)`` or nothing."""
    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""
