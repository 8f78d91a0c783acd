"""Stacking: many runs trained as one, by `torch.func.vmap` over stacked weights and knobs."""
