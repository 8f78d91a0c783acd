import pytest
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf

from vaesweep.checks import ConfigError
from vaesweep.cli import launch, one_line
from vaesweep.instantiate import build


def test_a_launcher_without_its_package_names_the_extra():
    error = MissingConfigException("In 'hydra/launcher/slurm': Could not load 'hydra/launcher/submitit_slurm'.")
    expected = "hydra/launcher: got submitit_slurm without its package; allowed: pip install -e '.[slurm]' first"
    assert one_line(error) == expected


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


def test_ctrl_c_ends_without_a_traceback(monkeypatch, capsys):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["evaluate.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # which is put back afterwards
    with pytest.raises(SystemExit) as left:
        launch(stopped)
    assert left.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
