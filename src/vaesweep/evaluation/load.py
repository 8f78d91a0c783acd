"""Loads a completed run from its folder."""

from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError

from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext
from vaesweep.models import Autoencoder
from vaesweep.records.results import Results
from vaesweep.settings.instantiate import add_import_path, build

CONFIG, HYDRA = Path(".hydra/config.yaml"), Path(".hydra/hydra.yaml")


def load_context(
    folder: Path,
    checkpoint: str | None,
    root: str | None,
    device: torch.device,
    seed: int,
    loaded: dict[str, ImageDataModule] | None = None,
) -> EvalContext:
    """The completed run in `folder`, with the weights of checkpoints/`checkpoint`.ckpt (by default those it tested).

    `root` is the folder of its data, if it has changed since training. Data in `loaded`, by their settings, are not
    loaded again, and others are added to it. Raises `ConfigError` for a folder that is no
    run, a run that never finished, a `root` for data without a folder, and for a checkpoint that is missing or does
    not fit the run's config.
    """
    results = completed_results(folder)
    try:
        config = OmegaConf.load(folder / CONFIG)
        assert isinstance(config, DictConfig)
        # only these parts are resolved, as others may refer to values that only a training run has
        parts = OmegaConf.create(
            {key: OmegaConf.to_container(config[key], resolve=True) for key in ("network", "model")}
        )
        root_key = next((key for key in ("root", "path") if key in config.data), None)
        if root and not root_key:
            raise ConfigError("root", root, f"nothing, for {results.data}, which lie nowhere")
        root = root or results.data_root
        overrides = {"data": {root_key: root}} if root and root_key else {}
        parts.data = OmegaConf.to_container(OmegaConf.merge(config, overrides).data, resolve=True)
        test_checkpoint = config.test_checkpoint
        if (folder / HYDRA).is_file():  # the user's own classes lie where the run was started
            add_import_path(str(OmegaConf.load(folder / HYDRA).hydra.runtime.cwd))
    except (OSError, AssertionError, AttributeError, TypeError, OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(
            "run", f"{folder}, whose {CONFIG} cannot be read ({error})", "a run folder as it was left"
        ) from None
    loaded = {} if loaded is None else loaded
    key = OmegaConf.to_yaml(parts.data, sort_keys=True)
    data = loaded[key] = loaded.get(key) or load_data(parts)
    if results.data_digest not in (None, data.digest):
        lie_in = f"{root}, where " * bool(root_key) + "the test images are not those of the run"
        raise ConfigError("root" if root_key else "run", lie_in, "the data that the run was trained on, unchanged")
    model: Autoencoder = build(parts, "model", network=build(parts, "network"), spec=data.spec)
    model.requires_grad_(False)  # so that a measure that a notebook calls keeps no graph
    checkpoint_name = checkpoint or str(test_checkpoint)
    restore(model, folder / "checkpoints" / f"{checkpoint_name}.ckpt")
    if data.on_device:
        data.move(device)
    return EvalContext(folder, results, checkpoint_name, model.to(device).eval(), data, device, seed)


def load_data(parts: DictConfig) -> ImageDataModule:
    """The data module, its images loaded. Raises `ConfigError` of `root` for data that do not lie where they did."""
    data: ImageDataModule = build(parts, "data")
    try:
        data.prepare_data()
        data.setup()
    except ConfigError as error:
        if error.key in ("data.root", "data.path"):
            raise ConfigError("root", error.given, "root=FOLDER, where the data of the run lie now") from error
        raise
    return data


def completed_results(folder: Path) -> Results:
    """The record of the completed run in `folder`. Raises `ConfigError`."""
    try:
        results = Results.read(folder)
    except (OSError, ValueError) as error:
        problem = f"{folder}, which is no run" if isinstance(error, FileNotFoundError) else f"{folder}: {error}"
        raise ConfigError("run", problem, "folders of completed runs, or of studies") from None
    if results.status != "completed":
        problem = f"{folder}, {results.status} after {results.epochs} epochs"
        raise ConfigError("run", problem, f"a completed run: python src/train.py resume={folder}")
    return results


def restore(model: Autoencoder, checkpoint: Path) -> None:
    """Load the weights in `checkpoint` into `model`, at the end of its schedules. Raises `ConfigError`."""
    if not checkpoint.is_file():
        raise ConfigError("checkpoint", f"{checkpoint}, which is not there", "last | best, where the run kept it")
    try:
        state: dict[str, Tensor] = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        weights = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
        model.load_state_dict(weights)
    except Exception as error:  # torch raises many types for a bad file
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            "checkpoint", f"{checkpoint}, which does not fit the run ({reason})", "one of this run"
        ) from error
    model.progress.fill_(1.0)
