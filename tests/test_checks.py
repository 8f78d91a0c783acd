import math

import pytest

from vaesweep.checks import ConfigError, check_choice, check_float, check_int


@pytest.mark.parametrize("given", [0, 0.5, 1])
def test_real_takes_numbers_in_range(given):
    assert check_float("x", given, 0, 1) == given


@pytest.mark.parametrize("given", [-0.1, 1.1, math.nan, math.inf, "1", None, True])
def test_real_refuses_the_rest_and_says_what_is_allowed(given):
    with pytest.raises(ConfigError, match=r"^x: got .*; allowed: a number in \[0, 1\]$"):
        check_float("x", given, 0, 1)


@pytest.mark.parametrize("given", [0, 1])
def test_strict_leaves_the_ends_out(given):
    with pytest.raises(ConfigError, match=r"a number in \(0, 1\)"):
        check_float("rho", given, 0, 1, strict=True)


@pytest.mark.parametrize("given", [0, -1, 1.0, "3", True, None])
def test_whole_wants_an_integer_from_low_on(given):
    with pytest.raises(ConfigError, match=r"latent_dim: got .*; allowed: a whole number of at least 1"):
        check_int("latent_dim", given)
    assert check_int("latent_dim", 1) == 1


def test_choice_lists_the_names():
    assert check_choice("kind", "a", ("a", "b")) == "a"
    with pytest.raises(ConfigError, match=r"kind: got c; allowed: a \| b"):
        check_choice("kind", "c", ("a", "b"))
