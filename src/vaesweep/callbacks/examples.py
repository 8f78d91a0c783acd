"""A few images by which a report compares runs."""

from pathlib import Path

import lightning as L
import torch
from torch import Tensor

from vaesweep.callbacks.drawing import scene
from vaesweep.checks import whole
from vaesweep.distributions import DiagonalGaussian
from vaesweep.files import atomically
from vaesweep.seeds import generator


class Examples(L.Callback):
    """Writes `folder`/{originals,reconstructions,samples}.png with the tested weights: strips of `count` images.

    Originals are the first validation images, samples are decoded from one draw of the prior, for members that have
    one: both the same for every run on the same data with the same latent dimension, whatever its seed.
    """

    def __init__(self, folder: str, count: int) -> None:
        self.folder, self.count = Path(folder), whole("count", count)

    @torch.no_grad()
    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if (given := scene(trainer, pl_module, self.count)) is None:
            return
        member, batch = given
        source = generator(0, "examples", device=batch.image.device)
        with trainer.precision_plugin.forward_context():
            noise = torch.randn(member.noise_shape(batch), generator=source, device=batch.image.device)
            posterior = member.posterior(member.corrupt(batch.image, noise), batch.label)
            self.keep("originals", batch.image)
            self.keep("reconstructions", member.generate(posterior.mean, batch.label))
            if isinstance(posterior, DiagonalGaussian):
                z = torch.randn(posterior.mean.shape, generator=source, device=batch.image.device)
                self.keep("samples", member.generate(z, batch.label))

    def keep(self, name: str, images: Tensor) -> None:
        """Images [K, C, H, W] as one strip."""
        import matplotlib.image  # here, because training need not wait for it

        from vaesweep.figures import mosaic

        strip = mosaic(images[None])
        with atomically(self.folder / f"{name}.png") as path:
            matplotlib.image.imsave(path, strip.repeat(3 // strip.shape[-1], axis=-1), format="png")
