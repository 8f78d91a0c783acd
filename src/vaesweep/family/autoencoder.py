"""The plain autoencoder, and the base that every other member is a diff from."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from vaesweep.checks import whole
from vaesweep.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.networks import Network, activation
from vaesweep.terms import Batch, Spec, Terms, in_full, mean_over_ranks


class Autoencoder(nn.Module):
    """x -> z = code(encoder(x)) -> p(x|z), trained on -log p(x|z) alone (Hinton & Salakhutdinov 2006).

    A member is a pure function of its weights, its knobs (float buffers) and its arguments; nothing is drawn
    inside. `latent_dim` below the data's dimension is what constrains this one. Raises `Invalid`.
    """

    penalty_name: ClassVar[str | None] = None
    """The key under which the penalty is recorded; None where there is none."""
    features_per_latent: ClassVar[int] = 1
    """Encoder outputs per latent dimension."""

    progress: Tensor
    """Share of training done, 0 to 1: what schedules read. Training fills it; 1 otherwise."""

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        code: str = "identity",
        conditions: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = whole("latent_dim", latent_dim)
        self.image_shape = spec.shape
        self.encoder = network.encoder(spec.shape, self.features_per_latent * latent_dim, conditions)
        self.decoder = network.decoder(latent_dim + conditions, spec.shape)
        self.likelihood = likelihood
        self.code = activation(code, key="code")
        self.register_buffer("progress", torch.tensor(1.0))

    def forward(self, batch: Batch, noise: Tensor) -> Terms:
        """The objective on one batch, given standard normal `noise` of `noise_shape(batch)`."""
        distortion, means, *_ = self.parts(batch, noise)
        penalty, weighted = self.penalty(mean_over_ranks(means) if self.training else means)
        return Terms(distortion, penalty, distortion + weighted)

    def score(self, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor]:
        """What an evaluation averages over batches [2 + k]: distortion, the squared error a pixel of decoded posterior
        means, and the means that `penalty` is a function of. And the posterior means [B, d]."""
        distortion, means, posterior, eta = self.parts(batch, noise)
        output = eta if isinstance(posterior, Dirac) else self.decode(posterior.mean, batch.label)
        mse = (self.likelihood.mean(output) - batch.image).square().mean()
        return torch.cat([distortion[None], mse[None], means]), posterior.mean

    def parts(self, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor, Dirac | DiagonalGaussian, Tensor]:
        """Distortion, a scalar, and the means [k] that `penalty` is a function of: both add up over batches.

        And what they come from: q(z|x), and eta [B, C, H, W] of the codes drawn from it.
        """
        seen = self.corrupt(batch.image, noise)
        posterior = self.posterior(seen, batch.label)
        eta = self.decode(posterior.sample(noise), batch.label)
        distortion = self.likelihood.nll(eta, batch.image).mean()
        return distortion, self.means(posterior, seen, batch.label, noise), posterior, eta

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        """Shape of the standard normal noise that `forward` wants; the first axis is the batch."""
        return len(batch.image), 0

    def corrupt(self, image: Tensor, noise: Tensor) -> Tensor:
        """What the encoder is shown [B, C, H, W]; here the image itself."""
        return image

    def posterior(self, image: Tensor, label: Tensor) -> Dirac | DiagonalGaussian:
        """q(z|x); here the point code(encoder(x))."""
        return Dirac(self.code(in_full(self.encoder(image, self.condition(label)))))

    def condition(self, label: Tensor) -> Tensor | None:
        """What encoder and decoder see besides image and code [B, conditions]; here nothing."""
        return None

    def decode(self, z: Tensor, label: Tensor) -> Tensor:
        """The likelihood's parameter eta [B, C, H, W] for codes `z` [B, d]."""
        condition = self.condition(label)
        return in_full(self.decoder(z if condition is None else torch.cat([z, condition.to(z.dtype)], dim=1)))

    def means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """What the penalty needs to know of a batch: the mean over its images of k numbers [k]. Here none."""
        return posterior.mean.new_zeros(0)

    def penalty(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty in its own units, and what the loss adds for it, both scalars, from `means` over any set."""
        return means.sum(), means.sum()

    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        """E[x|z] [B, C, H, W] for codes `z` [B, d]."""
        return self.likelihood.mean(self.decode(z, label))
