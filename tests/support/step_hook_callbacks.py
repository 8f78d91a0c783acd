"""Callbacks with a hook within a training step."""

import lightning as L
from lightning.pytorch.callbacks import LambdaCallback


class Hooked(L.Callback):
    """Has a hook within a step."""

    def on_after_backward(self, *_):
        pass


class HookedWhenMade(LambdaCallback):
    """Has it not in its class, but set on it."""

    def __init__(self):
        super().__init__(on_after_backward=lambda *_: None)
