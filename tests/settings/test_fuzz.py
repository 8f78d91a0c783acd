"""Odd values for every setting: each command is refused in one line that names the key, or its parts can be built.

`make fuzz` draws more examples than the suite; VAESWEEP_FUZZ is their number.
"""

import os
import warnings
from collections import Counter

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from support.paths import ROOT
from vaesweep.errors import ConfigError
from vaesweep.models import Batch, Spec
from vaesweep.settings.config_groups import check_groups
from vaesweep.settings.error_lines import one_line
from vaesweep.settings.instantiate import build
from vaesweep.settings.rules_by_class import RULES
from vaesweep.settings.validate import validate
from vaesweep.training.build_parts import build_callbacks
from vaesweep.training.check_callbacks import check_callbacks
from vaesweep.training.check_devices import check_devices
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.train_and_test import silence_lightning

EXAMPLES = int(os.environ.get("VAESWEEP_FUZZ", "25"))
GROUPS = (
    *("model", "model/likelihood", "model/schedule", "network", "optimizer", "trainer", "logger", "callbacks"),
    *("experiment", "debug"),
)
ODD = (
    "null", "nan", "inf", "-inf", "-1", "0", "1", "2", "3", "0.5", "1.5", "-0.0", "1e-400", "1e39", "1e400",
    "18446744073709551616", "4294967296", "2147483648", "9" * 400, "abc", "''", "' '", "'a b'", "'1'", "true", "false",
    "[]", "[1]", "[1,2]", "[-1]", "[abc]", "[null]", "[[]]", "[0.9,0.999]", "{}", "{a:1}", "{_target_:abc}",
    "{_target_:builtins.dict}", "{_target_:nope.Nope}", "${nope}", "${seed}", "${folder}", "${oc.env:NOPE}", "???",
    "9" * 5000,
    "/dev/null", "/nope/nope", "../..", ".", "x" * 5000, "'" + "x" * 300 + "'", "ü", "'\\n'", "日本", "1:2:3",
    "00:00:00:01", "auto", "cpu", "ddp", "kl", "l1", "bernoulli", "sigmoid", "best", "warn", "val/loss", "val/nope",
)  # fmt: skip
OPTIONS = {
    group: [path.stem for path in sorted((ROOT / "conf" / group).glob("*.yaml")) if not path.stem.startswith("_")]
    for group in GROUPS
}
OPTIONS["trainer"].remove("gpu")  # which this machine may not have
SPEC = Spec((1, 32, 32), 10, 1294)
"""Images that every network takes."""
COMPOSED, BUILT, PASSED = "refused before torch", "refused when built", "passed"
COUNTS: Counter[str] = Counter()


def composed(folder, overrides):
    check_groups(overrides)
    where = f"hydra.runtime.output_dir={folder}"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", [where, *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


def base_options(draw):
    """A combination of options: models, networks, loggers."""
    others = ["shapes", "mnist", "fashion_mnist", "cifar10", "folder", "mnist5k", "dsprites"]
    data = draw(st.sampled_from(["digits"] * 4 + others))
    chosen = [f"data={data}"] + (["data.path=photos"] if data == "folder" else [])
    for group in draw(st.sets(st.sampled_from(GROUPS), max_size=2)):
        chosen.append(f"{group}={draw(st.sampled_from(OPTIONS[group]))}")
    return chosen


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The keys of a combination of options, and those that its classes have beside them."""
    folder, cache = tmp_path_factory.mktemp("keys"), {}

    def of(options):
        if tuple(options) not in cache:
            config = composed(folder, options)
            tree = OmegaConf.to_container(config, resolve=False)
            validate(config)  # some experiments have settings that other data refuse
            cache[tuple(options)] = sorted(nested(tree))
        return cache[tuple(options)]

    return of


def nested(tree, prefix=""):
    """Every key of a tree, `+` before those that are not there but could be."""
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from nested(value, f"{prefix}{key}.")
    for key in RULES.get(tree.get("_target_"), {}):
        if key not in tree:
            yield f"+{prefix}{key}"
    yield f"+{prefix}nope"


@pytest.mark.slow
@pytest.mark.nightly
def test_every_command_is_refused_by_its_key_or_can_be_run(tmp_path, monkeypatch, keys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAESWEEP_DATA", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("NOPE", "SLURM_JOB_ID", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def attempt(data):
        options = base_options(data.draw)
        try:
            names = keys(options)
        except (ConfigError, HydraException, OmegaConfBaseException):  # a schedule for a model that has none
            COUNTS["no such combination"] += 1
            return
        key = data.draw(st.sampled_from(names), label="key")
        value = data.draw(st.sampled_from(ODD), label="value")
        override = data.draw(st.sampled_from([f"{key}={value}"] * 9 + [f"~{key.lstrip('+')}"]), label="override")
        outcome, line = stage(tmp_path / "run", [*options, override])
        COUNTS[outcome] += 1
        if line is not None:
            check_line(line, key.lstrip("+"), outcome)
        assert {path.name for path in tmp_path.iterdir()} <= {"run"}

    try:
        attempt()
    finally:
        print(f"\nfuzz: {sum(COUNTS.values())} drawn: {dict(COUNTS)}")


def stage(folder, overrides):
    """How far a command gets: the outcome, and the line that says why it is refused."""
    try:
        config = composed(folder, overrides)
        validate(config)
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        return COMPOSED, one_line(error)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            build_parts(config)
    except ConfigError as error:
        return BUILT, one_line(error)
    return PASSED, None


def build_parts(config):
    """What `train_and_test` builds before it trains, and the objective of a batch."""
    validate(config)
    check_devices(config)
    silence_lightning()
    if config.data._target_ == "vaesweep.data.Digits":
        build(config, "data").setup()
    model = build(config, "model", network=build(config, "network"), spec=SPEC)
    if sum(parameter.numel() for parameter in model.parameters()) < 10**7:
        batch = Batch(torch.zeros(2, *SPEC.shape), torch.zeros(2, 1, dtype=torch.long))
        model(batch, torch.zeros(model.noise_shape(batch)))
    module = LitAutoencoder(model, build(config, "optimizer"), config.seed)
    module.optimizer_recipe([{"params": list(model.parameters())}], 100)
    callbacks = build_callbacks(config)
    check_callbacks(config, callbacks, module.tracker)
    build(config, "trainer", callbacks=callbacks, logger=False, default_root_dir=config.folder)


def check_line(line, key, outcome):
    """One line, not too long, with the key in it; where a part is refused or cannot be built, with that part's."""
    assert "\n" not in line
    assert len(line) < 6000
    parts = [key]
    if outcome == BUILT or key.endswith("_target_"):
        parts += [key.rsplit(".", n)[0] for n in range(1, key.count(".") + 1)]
    assert any(part in line for part in parts), f"{key}: {line}"
