"""Experiments with the autoencoder family: what does reconstruction cost in KL?"""
