"""Measures of a trained model, one a file: each a callable with its settings."""
