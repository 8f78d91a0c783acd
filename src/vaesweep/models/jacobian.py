"""The Jacobian dz/dx of an encoder: its rows, projections of them, and its squared Frobenius norm."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import vjp, vmap

from vaesweep.models.networks import ACTIVATIONS, Encoder

ROWS = 4
"""Rows pulled back at a time: all 20 of a convolutional code at once made a step 1.4 to 1.8 times as long on a CPU."""


def jacobian(encode: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """dz/dx of every image, [d, B, C, H, W], for codes z = encode(image) [B, d]. Exact if images do not mix.

    One backward pass per latent dimension, vectorised.
    """
    z, pull = vjp(encode, image)[:2]
    # row j of every image's Jacobian at once: images do not mix, so one cotangent serves the whole batch
    units = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    (rows,) = vmap(pull, chunk_size=ROWS)(units[:, None, :].expand(-1, len(z), -1))
    return rows


def vector_jacobian_products(encode: Callable[[Tensor], Tensor], image: Tensor, probes: Tensor) -> Tensor:
    """v^T dz/dx [n, B, C, H, W] for `probes` v [n, B, d], n per image: one backward pass per probe, vectorised."""
    z, pull = vjp(encode, image)[:2]
    (rows,) = vmap(pull, chunk_size=ROWS)(probes.to(z.dtype))
    return rows


def dense_layers(encoder: nn.Module, code: nn.Module) -> list[tuple[nn.Linear, nn.Module]] | None:
    """Each linear layer with the elementwise activation after it, `code` the last; None if there are other layers.

    A class of one's own is another layer, as it may compute anything.
    """
    if not (type(encoder) is Encoder and type(encoder.body) is nn.Sequential):
        return None
    modules: list[nn.Module] = [*encoder.body, code]
    layers = [
        (linear, act)
        for linear, act in zip(modules[::2], modules[1::2], strict=False)
        if type(linear) is nn.Linear and type(act) in ACTIVATIONS.values()
    ]
    return layers if 2 * len(layers) == len(modules) else None


def squared_norms(layers: Sequence[tuple[nn.Linear, nn.Module]], x: Tensor, pixels: int) -> Tensor:
    """sum_b ||dz/dx(x_b)||_F^2, a scalar, for z = s_k(W_k ... s_1(W_1 x)); `x` [B, pixels + conditions].

    With D_i = diag(s_i'), dz/dx = A W_1 and A = D_k W_k ... W_2 D_1 [d, h], and so ||dz/dx||_F^2 = tr(A G A^T): the
    batch shares G = W_1 W_1^T [h, h], and no row is computed at the pixels, the widest layer. For one layer that is
    sum_j s_j'^2 ||w_j||^2 (Rifai et al. 2011, sec. 3). For two with an identity code it is a quadratic form in s_1',
    (W_2^T W_2) * G, which the batch shares too.
    """
    # in float32 under mixed precision: a Gram matrix squares, and cancellation would leave only rounding errors
    with torch.autocast(x.device.type, enabled=False):
        slopes = []
        for linear, act in layers:
            x, pull = vjp(act, linear(x))[:2]
            slopes.append(pull(torch.ones_like(x))[0])
        weights = [linear.weight for linear, _ in layers]
        first = weights[0][:, :pixels]
        if len(layers) == 1:
            return (slopes[0].square() * first.square().sum(1)).sum()
        if len(layers) == 2 and isinstance(layers[1][1], nn.Identity):
            return quadratic(slopes[0], gram(weights[1].T) * gram(first))
        rows = slopes[-1][:, :, None] * weights[-1]
        for slope, weight in zip(slopes[-2:0:-1], weights[-2:0:-1], strict=True):
            rows = (rows * slope[:, None]) @ weight
        rows = (rows * slopes[0][:, None]).flatten(0, 1)
        return quadratic(rows, gram(first)) if len(first) < pixels else (rows @ first).square().sum()


def quadratic(rows: Tensor, form: Tensor) -> Tensor:
    """sum_r a_r M a_r^T, a scalar, for `rows` a [R, h] and a symmetric `form` M [h, h].

    d/da = 2 a M for a symmetric M, and a M is already computed; autograd would multiply once more. Only first
    derivatives are right.
    """
    constant_rows = rows.detach()
    products = constant_rows @ form
    by_form = torch.dot(constant_rows.flatten(), products.flatten())
    by_rows = torch.dot(rows.flatten(), products.detach().flatten())
    return by_form + 2 * (by_rows - by_rows.detach())


def gram(weight: Tensor) -> Tensor:
    """W W^T [h, h] of `weight` W [h, p], for functions with a symmetric gradient M in it, such as `quadratic`.

    Then d/dW = 2 M W, one product instead of two. Only first derivatives are right.
    """
    half = weight @ weight.detach().T
    return 2 * half - half.detach()
