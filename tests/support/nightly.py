"""Which values of a parameter wait for `make test-all`."""

from collections.abc import Iterable
from typing import Any

import pytest


def at_night_but(kept: Iterable[Any], values: Iterable[Any]) -> list[Any]:
    """`values` of a parameter, or tuples of several: `make test` tries those that are `kept`, `make test-all` each."""
    kept = list(kept)
    return [value if value in kept else at_night(value) for value in values]


def at_night(value: Any) -> Any:
    """A value of a parameter, or a tuple of several, that `make test` leaves out."""
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.nightly)
