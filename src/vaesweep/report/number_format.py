"""Numbers with their errors, as tables and texts write them."""

import math


def with_error(value: float, error: float, digits: int = 1) -> str:
    """A value ± its error, with further decimals, four at most, where the error would read as zero."""
    if math.isnan(error):
        return f"{value:.{digits}f}"
    digits += next((more for more in range(4) if not 0 < error < 0.5 * 10 ** -(digits + more)), 4)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def format_value(mean: float, spread: float) -> str:
    """A number to about three significant digits, with its spread."""
    digits = 4 if 0 < abs(mean) < 0.1 else 3 if 0 < abs(mean) <= 1 else 2 if abs(mean) < 100 else 1
    return with_error(mean, spread, digits)
