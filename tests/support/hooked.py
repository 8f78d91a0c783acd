"""A callback with a hook within a training step."""

import lightning as L


class Hooked(L.Callback):
    """Has a hook within a step."""

    def on_after_backward(self, *_):
        pass
