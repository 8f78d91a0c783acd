import math

import pytest

from vaesweep.errors import ConfigError, as_yaml
from vaesweep.settings.check_arguments import check_choice, check_float, check_int
from vaesweep.settings.number_rules import integer, number
from vaesweep.settings.rule import BOOL


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


@pytest.mark.parametrize("given", [1e39, math.inf, 10**400, 2**64])
def test_a_limit_that_goes_without_saying_is_said_to_who_exceeds_it(given):
    with pytest.raises(ConfigError, match=r"a whole number of at least 1, at most 2.14748e\+09$"):
        check_int("n", given)
    if given > 1e38:
        with pytest.raises(ConfigError, match=r"a number of at least 0, at most 3.4e\+38$"):
            check_float("x", given, 0)


def test_one_of_two_rules_is_enough():
    rule = BOOL | integer(1, 3) | number(0.5, 0.6)
    assert rule.allowed == "true | false, or a whole number from 1 to 3, or a number in [0.5, 0.6]"
    assert [given for given in (True, 0, 2, 4, 0.55, "x", None) if rule.accepts(given)] == [True, 2, 0.55]


def test_a_message_shows_what_was_typed_in_one_line():
    shown = {None: "null", True: "true", "": "nothing", "a\nb": "a b", "x" * 999: "x" * 300 + "...", 0.5: "0.5"}
    assert {given: as_yaml(given) for given in shown} == shown
    assert as_yaml(10**5000) == "a number of too many digits"
