"""When figures are drawn, and where they go."""

from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import WandbLogger

from vaesweep.checks import whole
from vaesweep.data import ImageData
from vaesweep.experiment import Experiment
from vaesweep.family import Autoencoder
from vaesweep.seeds import generator
from vaesweep.terms import Batch


class Drawing(L.Callback):
    """Draws the member's figures every `every_n_epochs` and at the end of training, from `examples` validation images.

    `folder`/NAME.png holds the latest state; W&B keeps every one, under figures/NAME.
    """

    def __init__(self, folder: str, every_n_epochs: int, examples: int) -> None:
        self.folder = Path(folder)
        self.every_n_epochs = whole("every_n_epochs", every_n_epochs)
        self.examples = whole("examples", examples)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        done = trainer.current_epoch + 1
        if trainer.state.fn == "fit" and done % self.every_n_epochs == 0 and done != trainer.max_epochs:
            self.draw(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.draw(trainer, pl_module)

    @torch.no_grad()
    def draw(self, trainer: L.Trainer, experiment: L.LightningModule) -> None:
        """Each figure to disk, whole or not at all, and to the loggers. The first process draws for all."""
        if (given := scene(trainer, experiment, self.examples)) is None:
            return
        from vaesweep.figures import save  # here, because training need not wait for matplotlib
        from vaesweep.gallery import gallery

        assert isinstance(experiment, Experiment)
        source = generator(experiment.seed, "figures", device=experiment.device)
        with trainer.precision_plugin.forward_context():
            for name, figure in gallery(*given, source):
                path = save(figure, self.folder / name)
                for logger in trainer.loggers:
                    if isinstance(logger, WandbLogger):
                        logger.log_image(f"figures/{name}", [str(path)], step=trainer.global_step)


def scene(trainer: L.Trainer, experiment: L.LightningModule, count: int) -> tuple[Autoencoder, Batch] | None:
    """The member and the first `count` validation images on its device; None in all processes but the first."""
    data = getattr(trainer, "datamodule", None)
    if not trainer.is_global_zero or not isinstance(experiment, Experiment) or not isinstance(data, ImageData):
        return None
    assert isinstance(experiment.member, Autoencoder)
    images = trainer.precision_plugin.convert_input(data.examples(count))
    return experiment.member, Batch(*(part.to(experiment.device) for part in images))
