"""Trials of a search that are stopped early."""

from pathlib import Path
from typing import TYPE_CHECKING

import lightning as L
from hydra.core.hydra_config import HydraConfig

from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_int
from vaesweep.studies.search import PRUNED
from vaesweep.studies.search_journal import JOURNAL, open_journal
from vaesweep.studies.search_space import written_settings

if TYPE_CHECKING:
    import optuna


class PruneTrial(L.Callback):
    """Stops the training of a trial whose lowest metric so far is above the median of earlier trials at this epoch.

    The metric is the one that the search minimises. The median is optuna's MedianPruner's, over completed trials: at
    least `trials` of them, and no trial is stopped before it has trained for `epochs`. Such a trial is tested and
    recorded like any other, with fewer epochs. Raises `ConfigError` where no search is, or one for two metrics, and for
    a job of several processes.
    """

    def __init__(self, trials: int, epochs: int) -> None:
        self.trials, self.epochs = check_int("trials", trials, 0), check_int("epochs", epochs, 0)
        self.trial: int | None = None
        self.validated = False

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.world_size > 1:
            given = f"pruning in a job of {trainer.world_size} processes"
            raise ConfigError("callbacks", given, "trainer.devices=1, or other callbacks")
        folder = Path(trainer.default_root_dir).parent
        if not (folder / JOURNAL).is_file():
            raise ConfigError("callbacks", "pruning without a search", "-m hydra/sweeper=optuna, or other callbacks")
        self.storage = open_journal(folder)
        import optuna

        pruner = optuna.pruners.MedianPruner(self.trials, self.epochs)
        self.study = optuna.load_study(study_name=None, storage=self.storage, pruner=pruner)
        if len(self.study.directions) > 1:
            given = f"[{self.study.study_name.replace(' ', ',')}] with callbacks=pruning"
            raise ConfigError("optimized_metric", given, "one metric, or other callbacks")
        self.trial = running_trial(self.study, HydraConfig.get().overrides.task)
        if self.trial is not None and self.storage.get_trial(self.trial).user_attrs.get(PRUNED):
            self.storage.set_trial_user_attr(self.trial, PRUNED, False)  # an earlier process was killed after that

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validated = trainer.state.fn == "fit"

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        from optuna.exceptions import UpdateFinishedTrialError

        validated, self.validated = self.validated, False  # not in an earlier epoch
        if self.trial is None or not validated:
            return
        epoch, metric = trainer.current_epoch + 1, self.study.study_name
        try:
            self.storage.set_trial_intermediate_value(self.trial, epoch, trainer.callback_metrics[metric].item())
            can_stop = (trainer.min_epochs or 0) <= epoch < (trainer.max_epochs or 0)
            if can_stop and self.study.pruner.prune(self.study, self.storage.get_trial(self.trial)):
                self.storage.set_trial_user_attr(self.trial, PRUNED, True)
                trainer.should_stop = True
                print(f"pruned after epoch {epoch}: {metric} is above the median of earlier trials")
        except UpdateFinishedTrialError:  # another process has told it, as one that failed to start this job again
            self.trial = None


def running_trial(study: "optuna.Study", overrides: list[str]) -> int | None:
    """The trial that a job with these overrides is for; None for one of a search that has ended."""
    for trial in study.get_trials(deepcopy=False):
        settings = {f"{key}={value}" for key, value in written_settings(trial).items()}
        if settings and not trial.state.is_finished() and settings <= set(overrides):
            return trial._trial_id
    return None
