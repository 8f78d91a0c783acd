"""The models: pure modules with one contract, `forward(batch, noise) -> Terms`, and a declaration of their terms."""

from vaesweep.model_declaration import Declaration
from vaesweep.models.autoencoder import Autoencoder
from vaesweep.models.beta_tcvae import BetaTCVAE
from vaesweep.models.conditional_vae import ConditionalVAE
from vaesweep.models.contractive import ContractiveAutoencoder
from vaesweep.models.denoising import DenoisingAutoencoder
from vaesweep.models.multi_rate_vae import MultiRateVAE
from vaesweep.models.sparse import SparseAutoencoder
from vaesweep.models.types import Batch, Scores, Spec, Terms
from vaesweep.models.vae import VAE

__all__ = [
    "VAE",
    "Autoencoder",
    "Batch",
    "BetaTCVAE",
    "ConditionalVAE",
    "ContractiveAutoencoder",
    "Declaration",
    "DenoisingAutoencoder",
    "MultiRateVAE",
    "Scores",
    "SparseAutoencoder",
    "Spec",
    "Terms",
]
