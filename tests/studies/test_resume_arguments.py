import os

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from support.commands import only, record, statuses, train
from support.nightly import at_night_but
from support.paths import ROOT
from vaesweep.errors import ConfigError
from vaesweep.settings.instantiate import build
from vaesweep.settings.literal_folders import escape
from vaesweep.studies.hydra_command_line import quote
from vaesweep.studies.resume_arguments import STUDY, expand_resume, without_values


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "it's a run"
    (run / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(["model=vae", "model.beta=2", "resume=true"]), run / ".hydra" / "overrides.yaml")
    return run


def test_resume_replays_the_overrides_in_the_same_folder(folder):
    argv = expand_resume(["train.py", f"resume={folder}", "trainer.max_epochs=9"])
    assert argv.pop() == "hydra.output_subdir=null"
    assert argv[:5] == ["train.py", "model=vae", "model.beta=2", "trainer.max_epochs=9", "resume=true"]
    assert argv[5].startswith("hydra.run.dir='")
    assert argv[5].endswith("it\\'s a run'")


def test_without_a_folder_the_command_stays_as_it_is(folder):
    for argv in (["train.py", "model=ae"], ["train.py", "resume=true"], ["train.py", "resume=false", "seed=1"]):
        assert expand_resume(argv) == argv


def test_flags_may_stand_anywhere():
    given = ["train.py", "model=vae", "-m", "seed=0,1", "--config-dir", "mine", "data=digits"]
    assert expand_resume(given) == ["train.py", "-m", "--config-dir", "mine", "model=vae", "seed=0,1", "data=digits"]


def test_a_resumed_command_is_not_expanded_twice(folder):
    once = expand_resume(["train.py", f"resume={folder}"])
    assert expand_resume(once) == once


@pytest.mark.parametrize("override", ["model.beta=100", "optimizer.lr=1", "seed=3", "data=mnist", "+model.beta=1"])
def test_what_the_checkpoint_decides_cannot_be_given_with_it(folder, override):
    with pytest.raises(ConfigError, match=r"resume: got .* with it; allowed: settings of trainer, logger, "):
        expand_resume(["train.py", f"resume={folder}", override])


@pytest.mark.parametrize("override", ["+trainer.limit_val_batches=2", "++trainer.max_epochs=4", "~callbacks.timer"])
def test_settings_that_may_be_given_with_it_may_be_added_and_removed(folder, override):
    assert override in expand_resume(["train.py", f"resume={folder}", override])


def test_other_loggers_take_no_settings_of_those_before(folder):
    past = ["model=vae", "logger=wandb", "logger.wandb.mode=offline", "+logger.csv={}", "seed=3"]
    OmegaConf.save(OmegaConf.create(past), folder / ".hydra" / "overrides.yaml")
    argv = expand_resume(["train.py", f"resume={folder}", "logger=csv"])
    assert argv[1:4] == ["model=vae", "seed=3", "logger=csv"]
    assert expand_resume(["train.py", f"resume={folder}"])[1:6] == past


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=rf"resume: got {tmp_path}; allowed: the folder of an earlier run"):
        expand_resume(["train.py", f"resume={tmp_path}"])


def began(folder, *task, hydra=("hydra.mode=MULTIRUN",)):
    """What Hydra leaves of a study that was started with some overrides."""
    folder.mkdir(parents=True)
    overrides = {"hydra": list(hydra), "task": list(task)}
    OmegaConf.save(OmegaConf.create({"hydra": {"overrides": overrides}}), folder / STUDY)
    return folder


def test_a_study_is_resumed_in_its_folder_with_its_launcher_and_later_values_win(tmp_path):
    study = began(
        tmp_path / "study", "model=vae", "seed=0,1", "resume=true",
        hydra=("hydra.mode=MULTIRUN", "hydra/launcher=pool", "hydra.sweep.dir=elsewhere"),
    )  # fmt: skip
    basic = expand_resume(["train.py", f"resume={study}", "hydra/launcher=basic"])
    assert [a for a in basic if "launcher" in a] == ["hydra/launcher=basic"]
    assert expand_resume(["train.py", f"resume={study}", "seed=0,1,2"]) == [
        *("train.py", "-m", "model=vae", "seed=0,1", "hydra/launcher=pool", "seed=0,1,2"),
        *("resume=true", f"hydra.sweep.dir='{study}'"),
    ]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.beta=4", "model.beta: the study's jobs with 1, 2 stay as they are, now and when it is resumed"),
        ("model.beta=2,4", "model.beta: the study's jobs with 1 stay as they are, now and when it is resumed"),
        ("seed=3", "seed: the study's jobs with 0, 1 stay as they are, now and when it is resumed"),
    ],
)
def test_values_that_leave_out_jobs_of_the_study_are_told(tmp_path, capsys, override, line):
    study = began(tmp_path / "study", "model.beta=1,2", "data=digits", "model.latent_dim=interval(2,9)")
    record = OmegaConf.load(study / STUDY)
    record.hydra.sweeper = {"params": {"seed": "0,1"}}
    OmegaConf.save(record, study / STUDY)
    assert override in expand_resume(["train.py", f"resume={study}", override])
    assert capsys.readouterr().out.splitlines() == [line]
    wider = "model.beta=1,2,4", "seed=1,0", "data=mnist", "trainer.max_epochs=9", "model.latent_dim=3", "~logger"
    assert set(wider) <= set(expand_resume(["train.py", f"resume={study}", *wider]))
    assert capsys.readouterr().out == ""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A working directory with three studies: two of one command, the newest of another."""
    monkeypatch.chdir(tmp_path)
    began(tmp_path / "runs" / "1_ladder", "sweeps=beta_ladder", "seed=0,1")
    began(tmp_path / "runs" / "2_ladder", "sweeps=beta_ladder", "seed=0,1", "resume=true")
    began(tmp_path / "runs" / "3_ladder", "sweeps=beta_ladder", "data=digits", "seed=0,1")
    for i, name in enumerate(("1_ladder", "2_ladder", "3_ladder")):
        os.utime(tmp_path / "runs" / name / STUDY, ns=(i, i))
    (tmp_path / "runs" / "4_broken").mkdir()
    (tmp_path / "runs" / "4_broken" / STUDY).write_text("hydra: {overrides")
    return tmp_path / "runs"


@pytest.mark.parametrize("flag", ["-m", "--multirun", "hydra.mode=MULTIRUN"])
def test_the_newest_study_of_the_same_command_is_taken_up(runs, flag):
    command = ["train.py", flag, "seed=0,1,2", "sweeps=beta_ladder", "hydra/launcher=pool", "resume=true"]
    assert expand_resume(command) == [*command, f"hydra.sweep.dir='{runs / '2_ladder'}'"]


def test_interpolations_are_resumed_as_they_were_given(tmp_path):
    study = began(
        tmp_path / "study", "optimizer.lr=${seed}", "seed=1,2", hydra=("hydra.sweep.subdir=${hydra.job.num}",)
    )
    assert expand_resume(["train.py", f"resume={study}"])[2:5] == [
        *("optimizer.lr=${seed}", "seed=1,2", "hydra.sweep.subdir=${hydra.job.num}"),
    ]


@pytest.mark.parametrize(
    ("override", "varies"),
    [
        ("network.hidden=[40],[20]", True),
        ("network.hidden=[40,20]", False),
        ("data.path='a,b'", False),
        ("seed=range(3)", True),
        ("model=vae,ae", True),
    ],
)
def test_what_is_swept_is_what_hydra_sweeps(override, varies):
    assert without_values(override) == (override.partition("=")[0] if varies else override)


def recorded_sources(folder, **job):
    """What Hydra records of the folders that a configuration came from."""
    sources = [{"provider": "main", "path": str(ROOT / "conf")}, {"provider": "command-line", "path": "/mine"}]
    hydra = {"runtime": {"config_sources": sources}, "job": {"config_name": "other"} | job}
    OmegaConf.save(OmegaConf.create({"hydra": hydra}), folder / ".hydra" / "hydra.yaml")


def test_the_recorded_folders_of_configuration_are_resumed_with(folder):
    recorded_sources(folder)
    script = str(ROOT / "src" / "train.py")
    assert expand_resume([script, f"resume={folder}"])[1:3] == ["--config-dir=/mine", "--config-name=other"]
    assert expand_resume([script, "--config-dir", "yours", f"resume={folder}"])[1:4] == [
        *("--config-name=other", "--config-dir", "yours"),
    ]
    recorded_sources(folder, config_name="config")
    assert expand_resume([script, f"resume={folder}"])[1:3] == ["--config-dir=/mine", "model=vae"]


@pytest.mark.parametrize("command", [["sweeps=beta_ladder", "seed=3"], ["sweeps=family", "seed=0,1"], ["seed=0,1"]])
def test_a_command_without_an_earlier_study_begins_a_new_one(runs, command, capsys):
    assert expand_resume(["train.py", "-m", *command, "resume=true"]) == ["train.py", "-m", *command, "resume=true"]
    assert "no earlier study of this command in runs: a new one" in capsys.readouterr().out


def test_a_folder_that_is_named_is_kept(runs):
    command = ["train.py", "-m", "sweeps=beta_ladder", "seed=0,1", "resume=true", "hydra.sweep.dir=mine"]
    assert expand_resume(command) == command


NAMES = [
    *("a\\b", "a\\\\b", "a\\", "a'b", "a\\'b", '"q"', "a=b", "a,b", "a b", "[a]", "{a}", "(a)", "#a", "~", "*", "é∂漢"),
    *("${seed}", "\\${seed}", "\\\\${seed}", "${seed}\\", "${seed}'\\b", "$seed", "${", "a:b"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_path_is_read_as_it_is(tmp_path, name):
    override = OverridesParser.create().parse_override(f"hydra.run.dir={quote(tmp_path / name)}")
    assert not override.is_sweep_override()
    config = OmegaConf.create({"seed": 7, "dir": override.value(), "folder": escape(name), "part": "${folder}/part"})
    assert config.dir == str(tmp_path / name)
    assert config.part == f"{name}/part"


@pytest.mark.parametrize("name", ["a b", "${seed}", "\\${seed}\\"])
def test_parts_are_built_with_the_folder_as_it_is(name):
    part = {
        "_target_": "builtins.dict",
        "path": "${folder}/a",
        "inner": {"_target_": "builtins.dict", "seed": "${seed}"},
    }
    config = OmegaConf.create({"seed": 7, "folder": escape(name), "part": part})
    assert build(config, "part") == {"path": f"{name}/a", "inner": {"seed": 7}}


ODD = "${seed} it's a\\b=c, [1] é\\"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", at_night_but(["basic"], ["basic", "pool", "stack"]))
def test_a_study_and_its_resume_work_below_a_folder_of_any_name(tmp_path, launcher):
    here = tmp_path / ODD
    here.mkdir()
    quick = ["data=digits", "callbacks=no_figures", "trainer=cpu", "trainer.max_epochs=1", "logger=none"]
    first = train(here, "-m", *quick, "seed=0,1", f"hydra/launcher={launcher}")
    assert first.returncode == 0, first.stderr
    resumed = train(here, f"resume={only(here)}", "seed=0,1,2")
    assert resumed.returncode == 0, resumed.stderr
    assert set(statuses(only(here))) == {0, 1, 2}
    assert [path.name for path in tmp_path.iterdir()] == [ODD]


@pytest.mark.slow
def test_a_run_and_its_resume_work_below_a_folder_of_any_name(tmp_path):
    here = tmp_path / ODD
    here.mkdir()
    quick = ["data=digits", "callbacks=no_figures", "logger=none", "trainer=cpu", "optimizer=adam_constant"]
    first = train(here, *quick, "trainer.max_epochs=1")
    assert first.returncode == 0, first.stderr
    resumed = train(here, f"resume={only(here)}", "trainer.max_epochs=2")
    assert resumed.returncode == 0, resumed.stderr
    assert record(only(here))["epochs"] == 2
    assert len((only(here) / "history.csv").read_text().splitlines()) == 3
    assert [path.name for path in tmp_path.iterdir()] == [ODD]


@pytest.mark.parametrize("content", ["", "model: vae", "- {", "7"])
def test_overrides_that_a_killed_process_left_half_written_are_refused(folder, content):
    (folder / ".hydra" / "overrides.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"resume: got .*, whose .hydra/overrides.yaml cannot be read; allowed: "):
        expand_resume(["train.py", f"resume={folder}"])
