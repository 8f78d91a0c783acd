"""Figures during training."""

from pathlib import Path

import lightning as L
import torch

from vaesweep.data import ImageDataModule
from vaesweep.models import Autoencoder, Batch
from vaesweep.records.log_to_loggers import log_figure
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_int
from vaesweep.training.lightning_module import LitAutoencoder


class FigureLogger(L.Callback):
    """Draws the model's figures every `every_n_epochs` and after the test, from `examples` validation images.

    An epoch without a validation at its end draws nothing.

    After the test, and not at the end of training, because a run that is resumed after its last step is only tested.
    `folder`/NAME.png holds the latest state, in the end that of the tested weights; loggers that take images keep every
    one, under figures/NAME.
    """

    def __init__(self, folder: str, every_n_epochs: int, examples: int) -> None:
        self.folder = Path(folder)
        self.every_n_epochs = check_int("every_n_epochs", every_n_epochs)
        self.examples = check_int("examples", examples)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loop, done = trainer.fit_loop.epoch_loop, trainer.current_epoch + 1
        is_end = loop.batch_progress.is_last_batch
        if trainer.state.fn == "fit" and is_end and done % self.every_n_epochs == 0 and done != trainer.max_epochs:
            self.draw(trainer, pl_module)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.draw(trainer, pl_module)

    @torch.no_grad()
    def draw(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Each figure to disk, whole or not at all, and to the loggers. The first process draws for all."""
        if (pair := model_and_images(trainer, module, self.examples)) is None:
            return
        from vaesweep.figures import save  # here, because training need not wait for matplotlib
        from vaesweep.figures.figure_text import run_caption
        from vaesweep.figures.model_figures import model_figures

        assert isinstance(module, LitAutoencoder)
        caption = run_caption(module.model, *module.names, module.seed)
        source = generator(module.seed, "figures", device=module.device)
        with trainer.precision_plugin.forward_context():
            for name, figure in model_figures(*pair, source, caption):
                path = save(figure, self.folder / name)
                log_figure(trainer.loggers, f"figures/{name}", path, trainer.global_step)


def model_and_images(trainer: L.Trainer, module: L.LightningModule, count: int) -> tuple[Autoencoder, Batch] | None:
    """The model and `count` validation images on its device; None in all processes but the first."""
    data = getattr(trainer, "datamodule", None)
    if not trainer.is_global_zero or not isinstance(module, LitAutoencoder):
        return None
    assert isinstance(data, ImageDataModule)
    images = trainer.precision_plugin.convert_input(data.examples(count))
    return module.model, Batch(*(part.to(module.device) for part in images))
