"""The members: pure modules with one contract, `forward(batch, noise) -> Terms`."""

from vaesweep.family.autoencoder import Autoencoder
from vaesweep.family.conditional import Conditional
from vaesweep.family.contractive import Contractive
from vaesweep.family.denoising import Denoising
from vaesweep.family.sparse import Sparse
from vaesweep.family.variational import Variational

__all__ = ["Autoencoder", "Conditional", "Contractive", "Denoising", "Sparse", "Variational"]
