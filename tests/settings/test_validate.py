"""Every setting has a rule; what no run could use is refused in one line that names the key."""

import inspect
from importlib import import_module

import pytest
import torch
from omegaconf import OmegaConf

from support.compositions import compose_run
from support.paths import ROOT
from vaesweep.data.shapes import SIZES
from vaesweep.errors import ConfigError
from vaesweep.models.corruption import CORRUPTIONS
from vaesweep.models.networks import ACTIVATIONS
from vaesweep.settings.config_groups import check_groups
from vaesweep.settings.rules_by_class import ACTIVATION, ADDED, RULES
from vaesweep.settings.validate import resolve, validate, walk

GROUPS = ("model", "model/likelihood", "model/schedule", "network", "data", "optimizer", "trainer", "logger",
          "callbacks", "experiment", "debug")  # fmt: skip
OPTIONS = [
    f"{group}={path.stem}"
    for group in GROUPS
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    if not path.stem.startswith("_")
]


@pytest.fixture
def composed(tmp_path, monkeypatch):
    """Compose a configuration as the command line does, with nothing for tests in it."""
    monkeypatch.setenv("VAESWEEP_DATA", str(tmp_path))

    def make(*overrides):
        needed = ["data.path=photos"] if "data=folder" in overrides else []
        return compose_run(*overrides, *needed, folder=tmp_path / "run")

    return make


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
def test_every_setting_of_every_option_has_a_rule_and_passes_it(composed, option):
    config = composed(option)
    assert [key for key, _, rule in walk(resolve(config)) if rule is ADDED] == []
    validate(config)


def parameters(target):
    """The parameters of a class by name, those of its base class included where it passes them on."""
    module, _, name = target.rpartition(".")
    made = getattr(import_module(module), name)
    found = {}
    for owner in reversed(made.__mro__ if inspect.isclass(made) else ()):
        own = inspect.signature(owner.__init__).parameters if "__init__" in vars(owner) else {}
        passes_on = any(p.kind is p.VAR_KEYWORD for p in own.values())
        found = (found if passes_on else {}) | dict(own) if own else found
    found = found or dict(inspect.signature(made).parameters)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    built = ("self", "network", "spec", "conditions")
    return {name: p for name, p in found.items() if p.kind in named and name not in built}


@pytest.mark.parametrize("target", [target for target in RULES if target.startswith("vaesweep.")])
def test_the_rules_of_our_classes_are_those_of_their_constructors(target):
    has = parameters(target)
    assert set(RULES[target]) == set(has)
    required = {name for name, rule in RULES[target].items() if rule.required}
    assert {name for name, parameter in has.items() if parameter.default is parameter.empty} <= required


@pytest.mark.parametrize("target", [target for target in RULES if target.startswith("lightning.")])
def test_the_rules_of_other_classes_name_parameters_that_they_have(target):
    to_torch = {"broadcast_buffers"} | set(inspect.signature(torch.profiler.profile).parameters)
    assert set(RULES[target]) - to_torch <= set(parameters(target))


def test_names_and_numbers_of_the_schema_are_those_of_the_code():
    assert ACTIVATION.allowed.split(" | ") == list(ACTIVATIONS)
    assert RULES["vaesweep.models.DenoisingAutoencoder"]["corruption"].allowed.split(" | ") == list(CORRUPTIONS)
    size = RULES["vaesweep.data.Shapes"]["size"]
    total = SIZES[0] * SIZES[1] * SIZES[2] * SIZES[3] * SIZES[4]
    assert (size.accepts(total), size.accepts(total + 1)) == (True, False)


REFUSALS = {
    "seed=4294967296": "seed: got 4294967296; allowed: a whole number from 0 to 4294967295",
    "seed=true": "seed: got true;",
    "compile=1": "compile: got 1; allowed: true | false",
    "resume=maybe": "resume: got maybe; allowed: true | false, or the folder of an earlier run",
    "folder=/dev/null": "folder: got /dev/null; allowed: a folder",
    "~model": "model: got nothing; allowed: model=ae | beta_tcvae | beta_vae",
    "optimizer=[]": "optimizer: got nothing; allowed: optimizer=adam | adam_constant",
    "~callbacks": "callbacks: got nothing; allowed: callbacks=default",
    "model.likelihood=3": "model.likelihood: got 3; allowed: model/likelihood=bernoulli | gaussian",
    "callbacks.best=null": "callbacks.best: got null; allowed: a mapping with _target_, or ~callbacks.best",
    "model._target_=abc": "model: got {",
    "~model.latent_dim": "model.latent_dim: got nothing; allowed: a whole number of at least 1",
    "~trainer.max_epochs": "trainer.max_epochs: got nothing",
    "+model.beat=3": "model.beat: got 3; allowed: settings of vaesweep.models.VAE: latent_dim, likelihood, ",
    "+model._args_=[3]": "model._args_: got [3]; allowed: settings of vaesweep.models.VAE: latent_dim, likelihood, ",
    "+trainer.profiler={_target_:lightning.pytorch.profilers.SimpleProfiler,nope:1}": "trainer.profiler.nope: got 1; ",
    "+trainer.profiler={_target_:lightning.pytorch.profilers.AdvancedProfiler,nope:1}": "trainer.profiler.nope: ",
    "+trainer.profiler={_target_:lightning.pytorch.profilers.PyTorchProfiler,nope:1}": "trainer.profiler.nope: got 1; ",
    "model.beta=abc": "model.beta: got abc; allowed: a number of at least 0",
    "model.beta=nan": "model.beta: got nan;",
    "model.beta=1e400": "model.beta: got inf; allowed: a number of at least 0, at most 3.4e+38",
    "model.beta=[1]": "model.beta: got [1];",
    "model.beta={a:1}": "model.beta: got {'a': 1};",
    "model.beta=true": "model.beta: got true;",
    "model.beta=${nope}": "model.beta: got a reference that cannot be followed (Interpolation key 'nope' not found);",
    "model.beta=${model.beta}": "model.beta: got a reference that cannot be followed",
    "model.latent_dim=18446744073709551616": "model.latent_dim: got 18446744073709551616; allowed: a whole number of",
    "network.hidden=400": "network.hidden: got 400; allowed: a list of whole numbers of at least 1",
    "network.activation=swish": "network.activation: got swish; allowed: identity | relu",
    "data.val_fraction=1": "data.val_fraction: got 1; allowed: a number in (0, 1)",
    "optimizer.lr=0": "optimizer.lr: got 0; allowed: a number above 0",
    "optimizer.weight_decay=-1": "optimizer.weight_decay: got -1; allowed: a number of at least 0",
    "optimizer.lr_schedule=x": "optimizer.lr_schedule: got x; allowed: constant | onecycle",
    "optimizer.betas=[0.9,2]": "optimizer.betas: got [0.9, 2]; allowed: two numbers in [0, 1)",
    "optimizer.betas=3": "optimizer.betas: got 3; allowed: two numbers in [0, 1)",
    "optimizer.betas=[0.9,1]": "optimizer.betas: got [0.9, 1]; allowed: two numbers in [0, 1)",
    "trainer.max_time=soon": "trainer.max_time: got soon; allowed: null, or DAYS:HOURS:MINUTES:SECONDS",
    "trainer.gradient_clip_val=-1": "trainer.gradient_clip_val: got -1; allowed: null, or a number above 0",
    "+trainer.limit_test_batches=0": "trainer.limit_test_batches: got 0; allowed: null, or a whole number of batches",
    "trainer.log_every_n_steps=-1": "trainer.log_every_n_steps: got -1;",
    "trainer.log_every_n_steps=often": "trainer.log_every_n_steps: got often;",
    "trainer.deterministic=abc": "trainer.deterministic: got abc; allowed: null, or true | false, or warn",
    "trainer.precision=bf15": "trainer.precision: got bf15; allowed: 32-true | bf16-mixed | 16-mixed | 64-true",
    "trainer.devices=2": "trainer.devices: got 2; allowed: 1, a list of one such as [0], or trainer=ddp",
    "trainer.strategy=foo": "trainer.strategy: got foo; allowed: auto | ddp, or a mapping with _target_",
    "+trainer.num_nodes=2": "trainer.num_nodes: got 2; allowed: 1, or trainer=ddp +trainer.num_nodes=2",
    "+trainer.logger=true": "trainer.logger: got true; allowed: nothing: the run sets it",
    "callbacks.progress.refresh_rate=abc": "callbacks.progress.refresh_rate: got abc;",
    "callbacks.best.filename=../../x": "callbacks.best.filename: got ../../x;",
    "callbacks.best.dirpath=/tmp": "callbacks.best.dirpath: got /tmp; allowed: a folder in the folder of the run",
    "callbacks.history.path=/dev/null": "callbacks.history.path: got /dev/null; allowed: a file in the folder",
    "callbacks.history.path=${folder}": "callbacks.history.path: got ",
    "callbacks.figures.folder=${folder}/../x": "callbacks.figures.folder: got ",
    "callbacks.example_images.folder=/tmp": "callbacks.example_images.folder: got /tmp; allowed: a folder in the",
    "callbacks.graceful_stop.path=/dev/null": "callbacks.graceful_stop.path: got /dev/null; allowed: a file in the",
    "logger.wandb.folder=/tmp/elsewhere": "logger.wandb.folder: got /tmp/elsewhere; allowed: ",
    "logger.wandb.mode=cloud": "logger.wandb.mode: got cloud; allowed: offline | online | disabled",
    "choices.data=${nope}": "choices.data: got a reference that cannot be followed",
    "choices.model=[1]": "choices.model: got [1];",
    "trainer.max_time=00:00:00:00": "trainer.max_time: got 00:00:00:00; allowed: null, or DAYS:HOURS:MINUTES:SECONDS",
    "trainer.max_time={hours:0}": "trainer.max_time: got {'hours': 0};",
    "+trainer.enable_progress_bar=false": "trainer.enable_progress_bar: got false; allowed: true, or also ~",
    "+trainer.enable_checkpointing=false": "trainer.enable_checkpointing: got false; allowed: true, or also ~",
    "+trainer.profiler=simple": "trainer.profiler: got simple; allowed: null, or a mapping with _target_ and dirpath",
    "+trainer.min_epochs=1000": "trainer.min_epochs: got 1000; allowed: at most ",
    "+trainer.gradient_clip_algorithm=value": "trainer.gradient_clip_algorithm: got value; allowed: nothing without ",
}  # fmt: skip


@pytest.mark.parametrize("override", REFUSALS)
def test_what_no_run_could_use_is_refused_by_its_key(composed, override):
    with pytest.raises(ConfigError) as refusal:
        validate(composed(override))
    line = str(refusal.value)
    assert line.startswith(REFUSALS[override])
    assert "\n" not in line
    assert len(line) < 1000


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["data=shapes", "data.size=737281"], "data.size: got 737281; allowed: null, or a whole number from 1 to"),
        (["data=mnist", "data.root=nowhere/at/all"], "data.root: got nowhere/at/all; allowed: a folder that exists"),
        (["model=denoising", "model.level=2"], r"model.level: got 2; allowed: a number in \[0, 1\]"),
        (["trainer=ddp", "+trainer.num_nodes=2"], "trainer.num_nodes: got 2 where no scheduler has started the others"),
        (["trainer=cpu", "trainer.devices=[0]"], r"trainer.devices: got \[0\]; allowed: a number of processes"),
        (["logger=csv", "logger.csv.save_dir=/dev/null/x"], "logger.csv.save_dir: got /dev/null/x; allowed: a folder"),
    ],
)  # fmt: skip
def test_settings_have_to_agree(composed, tmp_path, monkeypatch, overrides, line):
    monkeypatch.chdir(tmp_path)
    for name in ("SLURM_JOB_ID", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=f"^{line}"):
        validate(composed(*overrides))
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_more_digits_than_python_reads_is_refused_by_its_key():
    with pytest.raises(ConfigError, match=r"^seed: got 9{20}\.{3} of 5000 characters; allowed: a value that"):
        check_groups(["seed=" + "9" * 5000])


def test_what_lies_in_the_way_of_a_file_or_a_folder_is_refused(composed, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "figures").write_text("")
    with pytest.raises(ConfigError, match=r"callbacks.figures.folder: got .*run/figures"):
        validate(composed())
    (run / "figures").unlink()
    (run / "history.csv").mkdir()
    with pytest.raises(ConfigError, match=r"callbacks.history.path: got .*run/history.csv"):
        validate(composed())
    (run / "history.csv").rmdir()
    (run / "history.csv").symlink_to("/dev/null")
    with pytest.raises(ConfigError, match=r"callbacks.history.path: got .*run/history.csv"):
        validate(composed())


@pytest.mark.parametrize(
    "overrides",
    [
        ["model._target_=my_models.Mine", "+model.weight=.inf", "+model.deep={a:[1,x,null]}"],
        ["network._target_=my_networks.ResNet", "+network.channels=8"],
        ["+mine={a:1}", "+callbacks.mine={_target_:my_callbacks.Mine,path:/tmp/x}"],
        ["~logger"],
        ["logger=none"],
        ["~callbacks.best"],
        ["trainer.max_time=00:00:10:00"],
        ["trainer.max_time={minutes:10}"],
        ["+trainer.limit_val_batches=1.0", "trainer.gradient_clip_val=1"],
        ["+trainer.reload_dataloaders_every_n_epochs=1"],
    ],
)
def test_what_a_run_can_use_passes(composed, overrides):
    validate(composed(*overrides))


def test_a_missing_value_keeps_its_own_error(composed):
    with pytest.raises(Exception, match="Missing mandatory value"):
        validate(composed("data=digits", "+data.path=???"))


@pytest.mark.parametrize(
    "override",
    ["model=null", "data=3", "network={a:1}", "model=${seed}", "model/likelihood=[1]", "trainer=" + "x" * 5000],
)
def test_a_group_takes_the_name_of_an_option(override):
    group = override.partition("=")[0]
    with pytest.raises(ConfigError, match=f"^{group}: got .*; allowed: "):
        check_groups(["model.beta=4", override])


@pytest.mark.parametrize(
    "override", ["model=vae", "logger=[wandb,csv]", "model=vae,ae", "~model", "nope=3", "model=[1"]
)
def test_other_overrides_of_groups_are_left_to_hydra(override):
    check_groups([override])


def test_nothing_is_changed_by_the_check(composed):
    config = composed()
    before = OmegaConf.to_yaml(config, resolve=False)
    validate(config)
    assert OmegaConf.to_yaml(config, resolve=False) == before


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["network=conv", "network.channels=[]"], "network.channels: got []; allowed: a list of one or more"),
        (["data=mnist", "data.name=cifar10"], "data.name: got cifar10; allowed: mnist, or data=cifar10"),
        (
            ["trainer.max_time=00:00:00:01", "callbacks.timer.duration=null"],
            "callbacks.timer.duration: got null; allowed: 00:00:00:01, as trainer.max_time",
        ),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.min_delta=-1"],
            "callbacks.early_stopping.min_delta: got -1; allowed: a number of at least 0",
        ),
    ],
)
def test_what_several_settings_decide_is_refused_by_its_key(composed, overrides, line):
    with pytest.raises(ConfigError) as refusal:
        validate(composed(*overrides))
    assert str(refusal.value).startswith(line)


def test_data_of_a_class_of_ones_own_need_no_name(composed):
    validate(composed("data=mnist", "data._target_=my_data.Mine", "~data.name"))
