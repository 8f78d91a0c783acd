"""The contract between data, models and training: what a model is given, and what it returns."""

from typing import NamedTuple

from torch import Tensor


class Spec(NamedTuple):
    """The data's image shape (C, H, W), number of classes (1: no labels) and number of training images.

    `class_names` are the names of the classes where they have other names than their numbers.
    """

    shape: tuple[int, int, int]
    classes: int
    images: int = 1
    class_names: tuple[str, ...] = ()


class Batch(NamedTuple):
    """`image` [B, C, H, W], floats in [0, 1]; `label` [B, F], int64: the class, then any other factors."""

    image: Tensor
    label: Tensor


class Terms(NamedTuple):
    """The objective and its parts: summed over pixels or latent dimensions, averaged over the batch.

    `distortion` = -E_q[log p(x|z)] in nats per image, with the likelihood's constant, a scalar.
    `penalties` [t] are the terms that the model declares, in that order, in their own units, before any weight.
    `loss`, a scalar, is what is minimised.
    """

    distortion: Tensor
    penalties: Tensor
    loss: Tensor


class Scores(NamedTuple):
    """What an evaluation takes from a batch.

    `means` [2 + k]: distortion, squared error per pixel of decoded posterior means, and `Autoencoder.batch_means`.
    `images` [B, 3]: distortion, squared error per pixel, and KL(q(z|x) || N(0, I)) of every image; 0 for a point code.
    `codes` [B, d]: the posterior means.
    """

    means: Tensor
    images: Tensor
    codes: Tensor
