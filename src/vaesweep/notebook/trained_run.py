"""A trained model with its data, for notebooks: images in, codes and images out."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.load import CONFIG, load_context
from vaesweep.evaluation.measures.interpolation import lerp
from vaesweep.metrics.importance_weighted_bound import bounds
from vaesweep.models import Autoencoder, Batch
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_int

Array = Tensor | np.ndarray
"""Images [B, C, H, W], [C, H, W] or, with one channel, [H, W]: floats in [0, 1], or uint8 from 0 to 255."""
Label = int | Sequence[int] | Tensor | np.ndarray
"""The class of all images, or one class per image [B]; of the labels of a `Batch` [B, F] the first column."""


class TrainedRun:
    """A completed run: `model` in eval mode, `data`, `config` as Hydra saved it (unresolved), and `results`.

    Images are an `Array`, used as they are: `data.examples(B)` gives images and labels as the model was trained on
    them, binarised if the data are. Codes are [B, d]. Every method returns tensors on the model's device, images as
    [B, C, H, W], without gradients. A `label` is needed only if the model's declaration is conditional, and ignored
    otherwise. `context` is the input of a measure, such as `NLL(k=100)(run.context)`. All methods raise `ConfigError`.
    """

    def __init__(self, context: EvalContext) -> None:
        self.context = context
        self.folder, self.results = context.folder, context.results
        self.model, self.data, self.device = context.model.eval(), context.data, context.device
        config = OmegaConf.load(context.folder / CONFIG)
        assert isinstance(config, DictConfig)
        self.config = config

    @classmethod
    def load(cls, folder: Path, checkpoint: str | None, root: str | None, device: str) -> "TrainedRun":
        """The completed run in `folder`. Raises the errors of `load_context`."""
        return cls(load_context(folder, checkpoint, root, torch.device(device), seed=0))

    def at(self, beta: float) -> "TrainedRun":
        """The run with its model set to the weight `beta` of the rate, if it was trained for a range of weights.

        Raises `ConfigError` for another model, and for a weight out of its range.
        """
        run = copy.copy(self)
        run.model = copy.deepcopy(self.model)
        run.model.set_rate_weight(beta)
        run.context = replace(self.context, model=run.model, cache={})
        return run

    def __repr__(self) -> str:
        name, data = self.results.model, self.results.data
        return f"TrainedRun({name} on {data}, {self.context.checkpoint} checkpoint, {self.folder})"

    @torch.no_grad()
    def encode(self, x: Array, label: Label | None = None) -> Tensor:
        """The means of q(z|x) [B, d]; for a point code the code itself. The images are not corrupted."""
        image = as_images("x", x, self.model, self.device)
        return self.model.posterior(image, as_labels(label, len(image), self.model, self.device)).mean

    @torch.no_grad()
    def decode(self, z: Array, label: Label | None = None) -> Tensor:
        """E[x|z] [B, C, H, W] for codes `z` [B, d] or [d]."""
        tensor = as_tensor("z", z)
        codes = tensor[None] if tensor.ndim == 1 else tensor
        dimensions = self.model.latent_dim
        if codes.ndim != 2 or codes.shape[1] != dimensions:
            raise ConfigError("z", list(tensor.shape), f"[B, {dimensions}] or [{dimensions}]")
        codes = codes.to(self.device, torch.float32)
        return self.model.generate(codes, as_labels(label, len(codes), self.model, self.device))

    @torch.no_grad()
    def reconstruct(self, x: Array, label: Label | None = None) -> Tensor:
        """E[x|z] [B, C, H, W] at z = E[z|x], the posterior mean."""
        image = as_images("x", x, self.model, self.device)
        return self.context.reconstruct(image, as_labels(label, len(image), self.model, self.device))

    @torch.no_grad()
    def sample(self, n: int, label: Label | None = None, seed: int = 0) -> Tensor:
        """E[x|z] [n, C, H, W] for `n` draws z of the prior N(0, I), seeded by `seed`.

        A model without a rate has no prior to draw from: `ConfigError`.
        """
        self.check_prior()
        shape = check_int("n", n), self.model.latent_dim
        source = generator(check_int("seed", seed, 0), "evaluation", "samples", device=self.device)
        return self.decode(torch.randn(shape, generator=source, device=self.device), label)

    @torch.no_grad()
    def interpolate(self, a: Array, b: Array, steps: int, label: Label | None = None) -> Tensor:
        """E[x|z] [steps, C, H, W] at z = (1 - t) E[z|a] + t E[z|b], t from 0 to 1 in equal steps.

        `a` and `b` are one image each; both, and all images between them, have the one class `label`.
        """
        steps = check_int("steps", steps, 2)
        share = torch.linspace(0, 1, steps, device=self.device)
        ends = [as_images(key, image, self.model, self.device) for key, image in (("a", a), ("b", b))]
        for key, image in zip("ab", ends, strict=True):
            if len(image) > 1:
                raise ConfigError(key, f"{len(image)} images", "one image")
        end_label = as_labels(label, 1, self.model, self.device)
        start, end = self.model.posterior(torch.cat(ends), end_label.expand(2, -1)).mean
        return self.model.generate(lerp(start, end, share), end_label.expand(steps, -1))

    @torch.no_grad()
    def nll(self, x: Array, k: int = 100, label: Label | None = None, seed: int = 0) -> Tensor:
        """The bound on -log p(x) of each image [B] in nats, from `k` importance samples (Burda et al. 2016, eq. 8).

        -log 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x), z_i drawn from q(z|x). With k = 1 it is a one-sample negative ELBO.
        For conditional models it is -log p(x|y). The draws depend on `seed` and on the number of images. A model
        without a rate has no density: `ConfigError`.
        """
        self.check_prior()
        k = check_int("k", k)
        source = generator(check_int("seed", seed, 0), "evaluation", "nll", 0, device=self.device)
        image = as_images("x", x, self.model, self.device)
        batch = Batch(image, as_labels(label, len(image), self.model, self.device))
        return -bounds(self.model, batch, k, source).bound

    def check_prior(self) -> None:
        """Raises `ConfigError` for a model without a rate: its code has neither a prior nor a posterior density."""
        if self.model.declaration.rate is None:
            raise ConfigError("model", f"{self.results.model}, a point code without a prior", "a model with a rate")


def as_tensor(key: str, value: object) -> Tensor:
    """`value` as a tensor: a tensor as it is, an array or list of numbers as a copy. Raises `ConfigError` for `key`."""
    if isinstance(value, Tensor):
        return value
    try:
        # a copy, because torch takes no negative strides and warns of arrays that are read-only
        return torch.from_numpy(np.array(value, order="C"))
    except (TypeError, ValueError):
        given = shorten(f"{type(value).__name__} {value}", 60)
        raise ConfigError(key, given, "a tensor or an array of numbers") from None


def as_images(key: str, value: object, model: Autoencoder, device: torch.device) -> Tensor:
    """An `Array` as floats [B, C, H, W] on `device`, uint8 divided by 255.

    Raises `ConfigError`: for `key` if the shape or type is wrong, that of the likelihood for values it refuses.
    """
    tensor = as_tensor(key, value)
    channels, height, width = model.image_shape
    image = tensor[(None,) * max(0, 4 - tensor.ndim)]
    if tensor.ndim not in (2, 3, 4) or image.shape[1:] != model.image_shape or len(image) == 0:
        grey = f" or [{height}, {width}]" if channels == 1 else ""
        shapes = f"[B, {channels}, {height}, {width}]{' or' if not grey else ','} [{channels}, {height}, {width}]{grey}"
        raise ConfigError(key, list(tensor.shape), shapes)
    if not (image.dtype in (torch.uint8, torch.bool) or image.is_floating_point()):
        raise ConfigError(key, f"values of type {image.dtype}", "floats in [0, 1], or uint8 from 0 to 255")
    image = image.to(device, torch.float32) / (255 if image.dtype == torch.uint8 else 1)
    model.likelihood.check(image)
    return image


def as_labels(value: object, count: int, model: Autoencoder, device: torch.device) -> Tensor:
    """A `Label` as the classes [count, 1] of `count` images; zeros if the model is not conditional.

    Raises `ConfigError` for a conditional model without one class in range for every image.
    """
    if not model.declaration.conditional:
        return torch.zeros(count, 1, dtype=torch.int64, device=device)
    allowed = f"a class from 0 to {model.classes - 1}, or one for each of {count} images: the model is conditional"
    if value is None:
        raise ConfigError("label", "nothing", allowed)
    labels = as_tensor("label", value)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ConfigError("label", f"values of type {labels.dtype}", allowed)
    classes = labels[:, 0] if labels.ndim == 2 and labels.shape[1] else labels
    if classes.ndim == 0:
        classes = classes.expand(count)
    if classes.shape != (count,):
        raise ConfigError("label", f"shape {list(labels.shape)}", allowed)
    classes = classes.to(device, torch.int64)
    outside = classes[(classes < 0) | (classes >= model.classes)]
    if len(outside):
        raise ConfigError("label", int(outside[0]), allowed)
    return classes[:, None]
