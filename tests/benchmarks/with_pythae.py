"""The VAE of `epoch.py` through pythae's trainer (Chadebec et al. 2022); importing this needs the package."""

import time
from tempfile import TemporaryDirectory

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn


class Encoder(BaseEncoder):
    """784-400-20, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))

    def forward(self, image: Tensor) -> ModelOutput:
        mean, logvar = self.layers(image).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=logvar)


class Decoder(BaseDecoder):
    """20-400-784."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z).unflatten(1, (1, 28, 28)))


class Watch(TrainingCallback):
    """Seconds of all epochs, without what is saved at the end."""

    seconds = 0.0

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        self.begun = time.perf_counter()

    def on_epoch_end(self, *_: object, **__: object) -> None:
        self.seconds += time.perf_counter() - self.begun


def epoch(train: Tensor, val: Tensor, batch: int, epochs: int) -> float:
    """Seconds an epoch over images [N, 1, 28, 28] in [0, 1]."""
    sets = [BaseDataset(images, torch.zeros(len(images))) for images in (train, val)]
    watch = Watch()
    with TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            per_device_train_batch_size=batch,
            per_device_eval_batch_size=batch,
            num_epochs=epochs,
            learning_rate=1e-3,
            no_cuda=True,
        )
        model = VAE(VAEConfig((1, 28, 28), 20, reconstruction_loss="bce"), Encoder(), Decoder())
        BaseTrainer(model, *sets, training_config=config, callbacks=[watch]).train()
    return watch.seconds / epochs
