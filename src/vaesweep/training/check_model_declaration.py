"""Whether a model computes what it declares."""

import torch
from torch import Tensor

from vaesweep.errors import ConfigError
from vaesweep.models import Autoencoder


def check_declaration(model: Autoencoder, values: Tensor) -> None:
    """Refuse a model that does not compute what it declares, from one `score` [2 + k]. Raises `ConfigError`."""
    declared, name = model.declaration, type(model).__name__
    penalties = model.objective(values[0], values[2:]).penalties
    if penalties.shape != (len(declared.terms),):
        given = f"{name}, whose penalties() returns a tensor of shape {list(penalties.shape)}"
        raise ConfigError("model", given, f"[{len(declared.terms)}], a value for each term of its declaration")
    carried = model.dimensions(values[2:], torch.ones(model.latent_dim, device=values.device))
    if carried.shape != (model.latent_dim,):
        given = f"{name}, whose dimensions() returns a tensor of shape {list(carried.shape)}"
        raise ConfigError("model", given, f"[{model.latent_dim}], a value for each latent dimension")
    for key, term in (("rate", declared.rate), *(("terms", term) for term in declared.terms)):
        if key == "rate" and term is not None and term not in declared.terms:
            raise ConfigError(
                "model", f"{name}, whose rate is {term}", f"one of its terms: {', '.join(declared.terms)}"
            )
        if key == "terms" and term in ("loss", "distortion", "nelbo", "mse", "active_units"):
            raise ConfigError(
                "model", f"{name}, one of whose terms is {term}", "another name: every model has that one"
            )
