"""A signal at a chosen step."""

from vaesweep.training.callbacks import GracefulStop


def interrupted_at(step, monkeypatch):
    """Make every run get SIGTERM in training step `step`."""
    original = GracefulStop.on_train_batch_end

    def with_signal(self, trainer, *rest):
        if trainer.global_step == step:
            self.handle_signal(15, None)
        original(self, trainer, *rest)

    monkeypatch.setattr(GracefulStop, "on_train_batch_end", with_signal)
