"""Errors whose message is one line: a setting that cannot be used, a loss that diverged."""

GIVEN_LENGTH = 300
"""Characters of a given value that a message shows."""


class ConfigError(ValueError):
    """A setting that cannot be used; its text is the line `key: got GIVEN; allowed: ALLOWED`."""

    def __init__(self, key: str, given: object, allowed: str) -> None:
        super().__init__(key, given, allowed)
        self.key, self.given, self.allowed = key, given, allowed

    def __str__(self) -> str:
        return f"{self.key}: got {as_yaml(self.given)}; allowed: {self.allowed}"


def as_yaml(given: object) -> str:
    """A value as it is written on the command line, in one line, shortened."""
    if given is None:
        return "null"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int) and abs(given) > 10**GIVEN_LENGTH:
        return "a number of too many digits"
    text = " ".join(str(given).split()) or "nothing"
    return text if len(text) <= GIVEN_LENGTH else f"{text[:GIVEN_LENGTH]}..."


class DivergenceError(ArithmeticError):
    """A term of the objective is no longer finite."""


class UnforeseenError(Exception):
    """An error that no check foresaw; its text is a line that names the file with the traceback."""


def reason(error: Exception) -> str:
    """The message of an error in one line, with its class if it is not one of ours."""
    line = " ".join(str(error).split())
    return line if isinstance(error, ConfigError | DivergenceError) else f"{type(error).__name__}: {line}"


def system_message(error: Exception) -> str:
    """What the operating system says of an error; the message of any other."""
    return getattr(error, "strerror", None) or reason(error)
