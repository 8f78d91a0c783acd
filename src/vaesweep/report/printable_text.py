"""Text that a terminal and a file can hold, whatever was in a name or a record."""

LINE_LENGTH = 500
"""Characters of a warning."""


def one_line(text: str) -> str:
    """`text` in one line that a terminal and a file in UTF-8 can hold, shortened."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}..."


def printable(text: str) -> str:
    """`text` with an escape for each character that cannot be shown, such as a byte of a name that is not UTF-8."""
    escaped = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)
