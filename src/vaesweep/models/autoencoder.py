"""The plain autoencoder, and the base class of every other model."""

import torch
from torch import Tensor, nn

from vaesweep.errors import ConfigError
from vaesweep.model_declaration import Declaration
from vaesweep.models.across_processes import mean_over_ranks
from vaesweep.models.analytic_distortion import expected_nll, has_affine_decoder
from vaesweep.models.distributions import DiagonalGaussian, Dirac, Gaussian, Likelihood
from vaesweep.models.half_precision import upcast_half
from vaesweep.models.networks import Network, activation
from vaesweep.models.types import Batch, Scores, Spec, Terms
from vaesweep.settings.check_arguments import check_int


class Autoencoder(nn.Module):
    """Autoencoder x -> z = code(encoder(x)) -> p(x|z), trained on -log p(x|z) alone (Hinton & Salakhutdinov 2006).

    A model is a pure function of its weights, its knobs (float buffers) and its arguments. Nothing random is drawn
    inside. Here only `latent_dim` below the data's dimension constrains the code. Raises `ConfigError`.

    A subclass adds terms to the distortion: `declaration` names them, `batch_means` computes the means that they are
    functions of, and `penalties` computes them.
    """

    features_per_latent: int = 1
    """Encoder outputs per latent dimension."""

    progress: Tensor
    """Share of training done, 0 to 1, read by schedules. Training sets it; 1 otherwise."""

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
        self.latent_dim = check_int("latent_dim", latent_dim)
        self.image_shape = spec.shape
        self.classes, self.class_names = spec.classes, spec.class_names
        self.encoder = network.encoder(spec.shape, self.features_per_latent * latent_dim, conditions)
        self.decoder = network.decoder(latent_dim + conditions, spec.shape)
        self.likelihood = likelihood
        self.code = activation(code, key="code")
        self.register_buffer("progress", torch.tensor(1.0))

    @property
    def declaration(self) -> Declaration:
        """The terms that the model records beside distortion, mse and loss; here none."""
        return Declaration()

    def set_rate_weight(self, weight: float) -> None:
        """Answer as a model of that `weight` of the rate, without training; raises `ConfigError` for all but a range.

        Here for all: the model is trained for one.
        """
        raise ConfigError("beta", weight, "nothing, as this model was trained for one weight of its rate")

    def forward(self, batch: Batch, noise: Tensor) -> Terms:
        """The objective on one batch, given standard normal `noise` of `noise_shape(batch)`."""
        distortion, means, *_ = self.parts(batch, noise)
        return self.objective(distortion.mean(), mean_over_ranks(means) if self.training else means)

    def objective(self, distortion: Tensor, means: Tensor) -> Terms:
        """The terms for a mean `distortion` and the `means` [k] over any set of images."""
        penalties, weighted_penalty = self.penalties(means)
        return Terms(distortion, penalties, distortion + weighted_penalty)

    def score(self, batch: Batch, *noises: Tensor) -> Scores:
        """What an evaluation takes from a batch: means over one or more draws of the noise.

        The distortion is exact where its expectation has a closed form. What does not depend on the noise is computed
        once.
        """
        draws, known = list[Scores](), None
        for noise in noises:
            distortion, means, posterior, eta = self.parts(batch, noise, known)
            if posterior is not known:
                known, exact = posterior, self.exact_distortion(posterior, batch)
                output, kl = eta, torch.zeros_like(distortion)
                if isinstance(posterior, DiagonalGaussian):
                    output, kl = self.decode(posterior.mean, batch.label), posterior.kl().sum(1)
                mse = (self.likelihood.mean(output) - batch.image).square().flatten(1).mean(1)
            distortion = distortion if exact is None else exact
            batch_means = torch.cat([distortion.mean()[None], mse.mean()[None], means])
            draws.append(Scores(batch_means, torch.stack([distortion, mse, kl], dim=1), posterior.mean))
        return Scores(*(torch.stack(parts).mean(0) for parts in zip(*draws, strict=True)))

    def exact_distortion(self, posterior: Dirac | DiagonalGaussian, batch: Batch) -> Tensor | None:
        """The expected distortion of each image [B], where it has a closed form."""
        if not isinstance(posterior, DiagonalGaussian) or not isinstance(self.likelihood, Gaussian):
            return None
        return expected_nll(self, posterior, *batch) if has_affine_decoder(self) else None

    def parts(
        self, batch: Batch, noise: Tensor, posterior: Dirac | DiagonalGaussian | None = None
    ) -> tuple[Tensor, Tensor, Dirac | DiagonalGaussian, Tensor]:
        """Distortion of each image [B], `batch_means` [k], q(z|x), and eta [B, C, H, W] of the codes drawn from it.

        `posterior` is that of another draw of the noise, which is used again unless it depends on the noise.
        """
        inputs = self.corrupt(batch.image, noise)
        if posterior is None or inputs is not batch.image:
            posterior = self.posterior(inputs, batch.label)
        eta = self.decode(posterior.sample(noise), batch.label)
        distortion = self.likelihood.nll(eta, batch.image)
        return distortion, self.batch_means(posterior, inputs, batch.label, noise), posterior, eta

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        """Shape of the standard normal noise that `forward` takes; the first axis is the batch."""
        return len(batch.image), 0

    def corrupt(self, image: Tensor, noise: Tensor) -> Tensor:
        """The encoder's input [B, C, H, W]; here the image itself."""
        return image

    def posterior(self, image: Tensor, label: Tensor) -> Dirac | DiagonalGaussian:
        """q(z|x); here the point code(encoder(x))."""
        return Dirac(self.code(upcast_half(self.encoder(image, self.condition(label)))))

    def condition(self, label: Tensor) -> Tensor | None:
        """Input of encoder and decoder besides image and code [B, conditions]; here none."""
        return None

    def decode(self, z: Tensor, label: Tensor) -> Tensor:
        """The likelihood's parameter eta [B, C, H, W] for codes `z` [B, d]."""
        condition = self.condition(label)
        return upcast_half(self.decoder(z if condition is None else torch.cat([z, condition.to(z.dtype)], dim=1)))

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """Means over the images of a batch of the k numbers that `penalties` and `dimensions` need [k]; here none."""
        return posterior.mean.new_zeros(0)

    def penalties(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """The declared terms [t] in their own units, and what they add to the loss, a scalar.

        A pure function of `means` [k] over any set of images: a batch, or a whole split.
        """
        return means.new_zeros(0), means.new_zeros(())

    def dimensions(self, means: Tensor, variance: Tensor) -> Tensor:
        """How much each latent dimension is used [d], from `means` [k] and the `variance` [d] of posterior means."""
        return variance

    def activation(self, z: Tensor) -> Tensor:
        """Mean activation of every unit [d] over codes `z` [N, d]; here its mean magnitude."""
        return z.abs().mean(0)

    @property
    def activation_target(self) -> float | None:
        """Target of the loss for a unit's mean activation; None without one."""
        return None

    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        """E[x|z] [B, C, H, W] for codes `z` [B, d]."""
        return self.likelihood.mean(self.decode(z, label))
