"""A run: one model, trained and tested by Lightning, with its record."""
