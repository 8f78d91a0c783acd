import pytest
from omegaconf import OmegaConf

from vaesweep.checks import Invalid
from vaesweep.entry import build
from vaesweep.resuming import resumed


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "it's a run"
    (run / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(["model=vae", "model.beta=2", "resume=true"]), run / ".hydra" / "overrides.yaml")
    return run


def test_resume_replays_the_overrides_in_the_same_folder(folder):
    argv = resumed(["train.py", f"resume={folder}", "trainer.max_epochs=9"])
    assert argv.pop() == "hydra.output_subdir=null"
    assert argv[:5] == ["train.py", "model=vae", "model.beta=2", "trainer.max_epochs=9", "resume=true"]
    assert argv[5].startswith("hydra.run.dir='")
    assert argv[5].endswith("it\\'s a run'")


def test_without_a_folder_the_command_stays_as_it_is(folder):
    for argv in (["train.py", "model=ae"], ["train.py", "resume=true"], ["train.py", "resume=false", "seed=1"]):
        assert resumed(argv) == argv


def test_a_resumed_command_is_not_expanded_twice(folder):
    once = resumed(["train.py", f"resume={folder}"])
    assert resumed(once) == once


@pytest.mark.parametrize("override", ["model.beta=100", "optimizer.lr=1", "seed=3", "data=mnist", "+model.beta=1"])
def test_what_the_checkpoint_decides_cannot_be_given_with_it(folder, override):
    with pytest.raises(Invalid, match=r"resume: got .* with it; allowed: settings of trainer, logger, "):
        resumed(["train.py", f"resume={folder}", override])


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(Invalid, match=rf"resume: got {tmp_path}; allowed: the folder of an earlier run"):
        resumed(["train.py", f"resume={tmp_path}"])


def test_build_hands_objects_over_as_they_are():
    spec = object()
    config = OmegaConf.create({"part": {"_target_": "builtins.dict", "a": [1, 2]}})
    built = build(config, "part", spec=spec)
    assert built["spec"] is spec
    assert type(built["a"]) is list


def test_what_a_constructor_does_not_take_is_an_error_of_the_part():
    config = OmegaConf.create({"part": {"_target_": "fractions.Fraction", "numerator": "x", "_convert_": "all"}})
    with pytest.raises(Invalid, match=r"part: got settings that it does not take \(.*x.*\); allowed: see"):
        build(config, "part")
