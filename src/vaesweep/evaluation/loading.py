"""From the folder of a run to what can be measured."""

from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError

from vaesweep.checks import Invalid
from vaesweep.data import ImageData
from vaesweep.entry import build
from vaesweep.evaluation.subject import Subject
from vaesweep.family import Autoencoder
from vaesweep.results import Results

CONFIG = Path(".hydra/config.yaml")


def load(folder: Path, checkpoint: str | None, root: str | None, device: torch.device, seed: int) -> Subject:
    """The completed run in `folder`, with the weights of checkpoints/`checkpoint`.ckpt (by default those it tested).

    `root` is where its data lie now, where that is another place than in training. Raises `Invalid` for a folder that
    is no run, one that never finished, data that have no such place, and for a checkpoint that is missing or does not
    fit the run's config.
    """
    results = finished(folder)
    try:
        config = OmegaConf.load(folder / CONFIG)
        assert isinstance(config, DictConfig)
        # resolved here, as anything else in it may name what only a training run knows
        parts = OmegaConf.create(
            {key: OmegaConf.to_container(config[key], resolve=True) for key in ("network", "model")}
        )
        place = next((key for key in ("root", "path") if key in config.data), None)
        if root and not place:
            raise Invalid("root", root, f"nothing, for {results.data}, which lie nowhere")
        placed = {"data": {place: root}} if root else {}
        parts.data = OmegaConf.to_container(OmegaConf.merge(config, placed).data, resolve=True)
        tested, project = config.test, config.logger.project
    except (OSError, AssertionError, AttributeError, TypeError, OmegaConfBaseException, YAMLError) as error:
        raise Invalid(
            "run", f"{folder}, whose {CONFIG} cannot be read ({error})", "a run folder as it was left"
        ) from None
    data: ImageData = build(parts, "data")
    data.prepare_data()
    data.setup()
    member: Autoencoder = build(parts, "model", network=build(parts, "network"), spec=data.spec)
    chosen = checkpoint or str(tested)
    restore(member, folder / "checkpoints" / f"{chosen}.ckpt")
    if data.on_device:
        data.move(device)
    return Subject(folder, results, chosen, str(project), member.to(device).eval(), data, device, seed)


def finished(folder: Path) -> Results:
    """The record of the completed run in `folder`. Raises `Invalid`."""
    try:
        results = Results.read(folder)
    except (OSError, ValueError) as error:
        given = f"{folder}, which is no run" if isinstance(error, FileNotFoundError) else f"{folder}: {error}"
        raise Invalid("run", given, "folders of completed runs, or of studies") from None
    if results.status != "completed":
        given = f"{folder}, {results.status} after {results.epochs} epochs"
        raise Invalid("run", given, f"a completed run: python src/train.py resume={folder}")
    return results


def restore(member: Autoencoder, checkpoint: Path) -> None:
    """Give `member` the weights in `checkpoint`, at the end of its schedules. Raises `Invalid`."""
    if not checkpoint.is_file():
        raise Invalid("checkpoint", f"{checkpoint}, which is not there", "last | best, where the run kept it")
    try:
        kept: dict[str, Tensor] = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        weights = {name.removeprefix("member."): value for name, value in kept.items() if name.startswith("member.")}
        member.load_state_dict(weights)
    except Exception as error:  # whatever torch finds wrong with a file
        reason = " ".join(str(error).split())[:200]
        raise Invalid(
            "checkpoint", f"{checkpoint}, which does not fit the run ({reason})", "one of this run"
        ) from error
    member.progress.fill_(1.0)
