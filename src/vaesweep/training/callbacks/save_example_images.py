"""A few images of each run, for reports."""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vaesweep.atomic_files import atomically
from vaesweep.data.image_grid import image_grid
from vaesweep.errors import ConfigError
from vaesweep.models.distributions import DiagonalGaussian
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_int
from vaesweep.training.callbacks.figure_logger import model_and_images


class ExampleImages(L.Callback):
    """Writes `folder`/{originals,reconstructions,samples}.png with the tested weights: strips of `count` images.

    Originals are validation images that `data.seed` draws. Samples are decoded from one draw of the prior, for models
    that have one. Both are the same for every run on the same data with the same latent dimension, whatever its seed.
    """

    def __init__(self, folder: str, count: int) -> None:
        self.folder, self.count = Path(folder), check_int("count", count)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        channels, *_ = module.model.image_shape
        if channels not in (1, 3):
            allowed = "1 (grey) or 3 (RGB), or ~callbacks.example_images"
            raise ConfigError("callbacks.example_images", f"images of {channels} channels", allowed)

    @torch.no_grad()
    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if (pair := model_and_images(trainer, pl_module, self.count)) is None:
            return
        model, batch = pair
        source = generator(0, "examples", device=batch.image.device)
        with trainer.precision_plugin.forward_context():
            noise = torch.randn(model.noise_shape(batch), generator=source, device=batch.image.device)
            posterior = model.posterior(model.corrupt(batch.image, noise), batch.label)
            self.save_strip("originals", batch.image)
            self.save_strip("reconstructions", model.generate(posterior.mean, batch.label))
            if isinstance(posterior, DiagonalGaussian):
                z = torch.randn(posterior.mean.shape, generator=source, device=batch.image.device)
                self.save_strip("samples", model.generate(z, batch.label))

    def save_strip(self, name: str, images: Tensor) -> None:
        """Images [K, C, H, W] as one strip."""
        strip = image_grid(images[None])
        pixels = (strip * 255).astype(np.uint8).repeat(3 // strip.shape[-1], axis=-1)
        with atomically(self.folder / f"{name}.png") as path:
            Image.fromarray(pixels).save(path, format="png")
