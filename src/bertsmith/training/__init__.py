"""The training loop, its schedule, checkpoints and run folders; pre-training as a whole."""

from bertsmith.training.alike import require_alike, weight_hashes
from bertsmith.training.compiling import compile_parts, resolve_compile, sums_for
from bertsmith.training.distributed import Ranks, joined_ranks
from bertsmith.training.epochs import EpochBatches
from bertsmith.training.freezing import require_layers
from bertsmith.training.interfaces import Evaluation, StepBatches
from bertsmith.training.interruption import Interrupted
from bertsmith.training.launcher import launcher
from bertsmith.training.loop import Trainer
from bertsmith.training.lost_models import is_over
from bertsmith.training.phases import Phase, PhaseSettings
from bertsmith.training.pretraining import PretrainResult, pretrain
from bertsmith.training.recipe import ModelSettings, PretrainRecipe, PretrainTraining
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.run_log import RunLog, read_run
from bertsmith.training.schedule import (
    ClockHorizon,
    Horizon,
    StepHorizon,
    learning_rate_factor,
    warmup_ratio_of,
)
from bertsmith.training.settings import FREE_TO_CHANGE, LoopSettings, OptimizerSettings
from bertsmith.training.shared_run import held_run, last_good_checkpoint
from bertsmith.training.snapshot import TrainingState

__all__ = [
    "FREE_TO_CHANGE",
    "ClockHorizon",
    "EpochBatches",
    "Evaluation",
    "Horizon",
    "Interrupted",
    "LoopSettings",
    "ModelSettings",
    "OptimizerSettings",
    "Phase",
    "PhaseSettings",
    "PretrainRecipe",
    "PretrainResult",
    "PretrainTraining",
    "Ranks",
    "RunFolder",
    "RunLog",
    "StepBatches",
    "StepHorizon",
    "Trainer",
    "TrainingState",
    "compile_parts",
    "held_run",
    "is_over",
    "joined_ranks",
    "last_good_checkpoint",
    "launcher",
    "learning_rate_factor",
    "pretrain",
    "read_run",
    "require_alike",
    "require_layers",
    "resolve_compile",
    "sums_for",
    "warmup_ratio_of",
    "weight_hashes",
]
