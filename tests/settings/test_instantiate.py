import pytest
from omegaconf import OmegaConf

from vaesweep.errors import ConfigError
from vaesweep.settings.instantiate import build


def test_build_hands_objects_over_as_they_are():
    spec = object()
    config = OmegaConf.create({"part": {"_target_": "builtins.dict", "a": [1, 2]}})
    built = build(config, "part", spec=spec)
    assert built["spec"] is spec
    assert type(built["a"]) is list


def test_what_a_constructor_does_not_take_is_an_error_of_the_part():
    config = OmegaConf.create({"part": {"_target_": "fractions.Fraction", "numerator": "x", "_convert_": "all"}})
    with pytest.raises(ConfigError, match=r"part: got settings that it does not take \(.*x.*\); allowed: see"):
        build(config, "part")
