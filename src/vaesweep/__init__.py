"""Experiments with the autoencoder family: what does reconstruction cost in KL?"""

__version__ = "0.1.0"
