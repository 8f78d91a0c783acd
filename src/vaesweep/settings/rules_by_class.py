"""What each setting may be: a table of rules for each class that the configuration names in `_target_`.

By class, not by path in the configuration: `callbacks.best` and `callbacks.last` are one class, `network.channels` is a
list for one class and a number for another, and a setting that a class does not have is noticed. The classes are named,
not imported, because this is read before torch is.
"""

from collections.abc import Mapping
from dataclasses import replace

from vaesweep.settings.mapping_rules import NAMES, PART, PARTS, PLAIN
from vaesweep.settings.number_rules import BETAS, SHARE, integer, integers, number
from vaesweep.settings.rule import BOOL, NULL, SET_BY_RUN, Rule, choice, optional
from vaesweep.settings.text_and_path_rules import (
    CREATABLE,
    DURATION,
    FILE_IN_RUN,
    FILENAME,
    FOLDER,
    FOLDER_IN_RUN,
    LONG_TEXT,
    PATH,
    TEXT,
    TEXTS,
)

Rules = dict[str, Rule]

SEED = integer(0, 2**32 - 1)  # as Lightning's seed_everything takes it
ACTIVATION = choice("identity", "relu", "elu", "gelu", "sigmoid", "silu", "softplus", "tanh")
DEVICES = Rule(
    lambda given: isinstance(given, list) and bool(given) and len(set(map(str, given))) == len(given)
    and all(map(integer(0).accepts, given)),
    "a list of different device numbers such as [0,1]",
)  # fmt: skip

CHANNELS = Rule(
    lambda given: bool(given) and integers(1).accepts(given),
    "a list of one or more whole numbers of at least 1, such as [32,64]",
)
PROFILER = replace(PART, allowed="a mapping with _target_ and dirpath, as in debug=profile")
METRICS = Rule(
    lambda given: TEXTS.accepts(given) and 0 < len(given) == len(set(given)) < 3,
    "one or two metrics, such as [val/kl,val/distortion]",
)

TOP: Rules = {
    "seed": SEED,
    "compile": BOOL,
    "test_samples": integer(1, 100_000),
    "checkpoint_every_n_seconds": number(0),
    "optimized_metric": TEXT | METRICS,
    "test_checkpoint": choice("last", "best"),
    "resume": Rule(BOOL.accepts, "true | false, or the folder of an earlier run"),
    "folder": CREATABLE,
    "choices": NAMES,
    "model": PART,
    "network": PART,
    "data": PART,
    "optimizer": PART,
    "trainer": PART,
    "callbacks": PARTS,
    "logger": optional(NULL | PARTS),
}
"""The top of the configuration, what others refer to first. Keys that are added to it may be any plain values."""

AUTOENCODER: Rules = {"latent_dim": integer(1), "likelihood": PART}
CODE: Rules = {"code": optional(ACTIVATION)}
VAE: Rules = AUTOENCODER | {
    "schedule": PART,
    "beta": optional(number(0)),
    "free_bits": optional(number(0)),
}
DATA: Rules = {
    "batch_size": integer(1),
    "val_fraction": number(0, 1, strict=True),
    "test_fraction": optional(NULL | number(0, 1, strict=True)),
    "binarize": choice("none", "threshold", "dynamic"),
    "exclude_label": optional(NULL | integer(0)),
    "on_device": BOOL,
    "seed": SEED,
}
LOGGER: Rules = {
    "save_dir": CREATABLE,
    "name": optional(NULL | FILENAME),
    "version": optional(NULL | integer(0) | FILENAME),
    "prefix": optional(LONG_TEXT),
}

RULES: Mapping[str, Rules] = {
    "vaesweep.models.Autoencoder": AUTOENCODER | CODE,
    "vaesweep.models.DenoisingAutoencoder": AUTOENCODER
    | {"code": ACTIVATION, "corruption": choice("masking", "gaussian", "salt_pepper"), "level": number(0)},
    "vaesweep.models.SparseAutoencoder": AUTOENCODER
    | {
        "code": ACTIVATION,
        "penalty": choice("kl", "l1"),
        "beta": number(0),
        "rho": number(0, 1, strict=True),
    },
    "vaesweep.models.ContractiveAutoencoder": AUTOENCODER
    | {"code": ACTIVATION, "lam": number(0), "probes": optional(NULL | integer(1))},
    "vaesweep.models.VAE": VAE,
    "vaesweep.models.ConditionalVAE": VAE,
    "vaesweep.models.BetaTCVAE": AUTOENCODER | {"alpha": number(0), "beta": number(0), "gamma": number(0)},
    "vaesweep.models.MultiRateVAE": AUTOENCODER
    | dict.fromkeys(("beta_min", "beta_max", "beta"), number(0, strict=True))
    | {"ramp": optional(number(0, 1))},
    "vaesweep.models.distributions.Bernoulli": {},
    "vaesweep.models.distributions.Gaussian": {
        "sigma": optional(number(0, strict=True)),
        "learn": optional(BOOL),
    },
    "vaesweep.models.schedules.Constant": {},
    "vaesweep.models.schedules.Linear": {"warmup": number(0, 1)},
    "vaesweep.models.schedules.Cyclical": {"cycles": integer(1), "ratio": number(0, 1)},
    "vaesweep.models.schedules.Capacity": {"C": number(0), "ramp": number(0, 1)},
    "vaesweep.models.schedules.Target": {"C": number(0, strict=True)},
    "vaesweep.models.networks.MLP": {"hidden": integers(1), "activation": optional(ACTIVATION)},
    "vaesweep.models.networks.Conv": {
        "channels": CHANNELS,
        "dense": integers(1),
        "kernel": Rule(
            lambda given: given in (3, 4) and isinstance(given, int), "3 | 4 (each halves the image exactly)"
        ),
        "activation": optional(ACTIVATION),
    },
    "vaesweep.models.networks.Burgess": {"activation": optional(ACTIVATION)},
    "vaesweep.data.Digits": DATA,
    "vaesweep.data.MNIST5k": DATA,
    "vaesweep.data.DSprites": DATA | {"root": FOLDER},
    "vaesweep.data.TorchvisionData": DATA | {"name": choice("mnist", "fashion_mnist", "cifar10"), "root": FOLDER},
    "vaesweep.data.Shapes": DATA | {"size": NULL | integer(1, 737_280)},
    "vaesweep.data.Folder": DATA
    | {
        "path": PATH,
        "cache": CREATABLE,
        "size": integer(1, 4096),
        "color": choice("rgb", "grey"),
        "background": optional(choice("white", "black") | number(0, 1)),
    },
    "vaesweep.training.optimizers.Adam": {
        "lr": number(0, strict=True),
        "weight_decay": number(0),
        "betas": BETAS,
        "lr_schedule": choice("constant", "onecycle"),
    },
    "lightning.Trainer": {
        "accelerator": choice("auto", "cpu", "gpu", "cuda", "mps"),
        "devices": choice("auto") | integer(1) | DEVICES,
        "strategy": choice("auto", "ddp") | PART,
        # true half precision is not among them: objective terms are float32, which a half decoder would not take
        "precision": choice("32-true", "bf16-mixed", "16-mixed", "64-true"),
        "max_epochs": integer(1),
        "num_nodes": optional(integer(1)),
        "min_epochs": optional(NULL | integer(1)),
        "max_steps": optional(Rule(lambda given: given == -1 and not isinstance(given, bool), "-1") | integer(1)),
        "min_steps": optional(NULL | integer(1)),
        "max_time": optional(NULL | DURATION),
        "fast_dev_run": optional(Rule(lambda given: given is False, "false: debug=fast is the quick run here")),
        "limit_train_batches": optional(NULL | SHARE),
        "limit_val_batches": optional(NULL | SHARE),
        "limit_test_batches": optional(NULL | SHARE),
        "limit_predict_batches": optional(NULL | SHARE),
        "overfit_batches": optional(Rule(lambda given: given == 0 and not isinstance(given, bool), "0") | SHARE),
        "val_check_interval": optional(NULL | SHARE),
        "check_val_every_n_epoch": optional(integer(1)),
        "num_sanity_val_steps": optional(NULL | integer(-1)),
        "log_every_n_steps": optional(integer(1)),
        "accumulate_grad_batches": optional(integer(1)),
        "gradient_clip_val": optional(NULL | number(0, strict=True)),
        "gradient_clip_algorithm": optional(NULL | choice("norm", "value")),
        "deterministic": optional(NULL | BOOL | choice("warn")),
        "benchmark": optional(NULL | BOOL),
        "inference_mode": optional(BOOL),
        "use_distributed_sampler": optional(BOOL),
        "detect_anomaly": optional(BOOL),
        "barebones": optional(Rule(lambda given: given is False, "false: a run records itself")),
        "sync_batchnorm": optional(BOOL),
        "reload_dataloaders_every_n_epochs": optional(integer(0)),
        "enable_checkpointing": optional(NULL | BOOL),
        "enable_progress_bar": optional(NULL | BOOL),
        "enable_model_summary": optional(NULL | BOOL),
        "enable_autolog_hparams": optional(BOOL),
        "profiler": optional(NULL | PROFILER),
        "model_registry": optional(NULL | TEXT),
        "default_root_dir": SET_BY_RUN,
        "callbacks": SET_BY_RUN,
        "logger": SET_BY_RUN,
        "plugins": SET_BY_RUN,
    },
    "lightning.pytorch.strategies.DDPStrategy": {"broadcast_buffers": optional(BOOL)},
    "lightning.pytorch.profilers.SimpleProfiler": {
        "dirpath": optional(NULL | FOLDER_IN_RUN),
        "filename": optional(NULL | FILENAME),
        "extended": optional(BOOL),
    },
    "lightning.pytorch.profilers.AdvancedProfiler": {
        "dirpath": optional(NULL | FOLDER_IN_RUN),
        "filename": optional(NULL | FILENAME),
        "line_count_restriction": optional(number(0, 1)),
        "dump_stats": optional(BOOL),
    },
    "lightning.pytorch.profilers.PyTorchProfiler": {
        "dirpath": optional(NULL | FOLDER_IN_RUN),
        "filename": optional(NULL | FILENAME),
        "sort_by_key": optional(NULL | TEXT),
        "row_limit": optional(integer(-1)),
        **dict.fromkeys(
            (
                "group_by_input_shapes",
                "emit_nvtx",
                "export_to_chrome",
                "record_module_names",
                "record_shapes",
                "profile_memory",
                "with_stack",
                "with_flops",
                "with_modules",
            ),
            optional(BOOL),
        ),
    },
    "lightning.pytorch.callbacks.ModelCheckpoint": {
        "dirpath": optional(FOLDER_IN_RUN),
        "filename": optional(NULL | FILENAME),
        "monitor": optional(NULL | TEXT),
        "mode": optional(choice("min", "max")),
        "verbose": optional(BOOL),
        "save_last": optional(NULL | BOOL | choice("link")),
        "save_top_k": optional(integer(-1)),
        "save_weights_only": optional(BOOL),
        "save_on_exception": optional(BOOL),
        "save_on_train_epoch_end": optional(NULL | BOOL),
        "auto_insert_metric_name": optional(BOOL),
        "enable_version_counter": optional(BOOL),
        "every_n_train_steps": optional(NULL | integer(0)),
        "every_n_epochs": optional(NULL | integer(0)),
        "train_time_interval": optional(NULL | PART),
    },
    "lightning.pytorch.callbacks.EarlyStopping": {
        "monitor": TEXT,
        "min_delta": optional(number(0)),
        "patience": optional(integer(0)),
        "mode": optional(choice("min", "max")),
        "verbose": optional(BOOL),
        "strict": optional(BOOL),
        "check_finite": optional(BOOL),
        "stopping_threshold": optional(NULL | number()),
        "divergence_threshold": optional(NULL | number()),
        "check_on_train_epoch_end": optional(NULL | BOOL),
        "log_rank_zero_only": optional(BOOL),
    },
    "lightning.pytorch.callbacks.Timer": {
        "duration": optional(NULL | DURATION),
        "interval": optional(choice("step", "epoch")),
        "verbose": optional(BOOL),
    },
    "vaesweep.training.callbacks.HistoryCSV": {"path": FILE_IN_RUN},
    "vaesweep.training.callbacks.ExampleImages": {"folder": FOLDER_IN_RUN, "count": integer(1)},
    "vaesweep.training.callbacks.FigureLogger": {
        "folder": FOLDER_IN_RUN,
        "every_n_epochs": integer(1),
        "examples": integer(1),
    },
    "vaesweep.training.callbacks.GracefulStop": {"path": FILE_IN_RUN},
    "vaesweep.studies.pruning.PruneTrial": {"trials": integer(0), "epochs": integer(0)},
    "vaesweep.training.callbacks.ProgressBar": {"refresh_rate": integer(1)},
    "lightning.pytorch.loggers.CSVLogger": LOGGER | {"flush_logs_every_n_steps": optional(integer(1))},
    "lightning.pytorch.loggers.TensorBoardLogger": LOGGER
    | {"log_graph": optional(BOOL), "default_hp_metric": optional(BOOL), "sub_dir": optional(NULL | FILENAME)},
    "vaesweep.records.wandb_logger.wandb_logger": {
        "folder": FOLDER_IN_RUN,
        "project": TEXT,
        "entity": NULL | TEXT,
        "name": NULL | TEXT,
        "mode": choice("offline", "online", "disabled"),
        "group": NULL | TEXT,
        "job_type": NULL | TEXT,
        "notes": NULL | LONG_TEXT,
        "log_model": BOOL,
        "tags": TEXTS,
    },
}
"""The settings of a class. Those of ours are complete; a class of others may have more, of any plain values."""

GROUPS: Mapping[str, Rules] = {
    "model": {key: optional(rule) for key, rule in AUTOENCODER.items()},
    "data": {key: optional(rule) for key, rule in DATA.items()},
}
"""The settings that a class of the user's own has in a group, where it inherits from one of ours."""
ADDED = PLAIN
"""The rule of a setting that is in no table."""
