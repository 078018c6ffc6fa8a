"""Fine-tuning a pre-trained model on a task, and scoring a fine-tuned one."""

from bertsmith.tasks.finetuning.prediction_files import data_files, prediction_files
from bertsmith.tasks.finetuning.recipe import FinetuneRecipe, FinetuneTraining, recipe_for
from bertsmith.tasks.finetuning.running import FinetuneResult, finetune
from bertsmith.tasks.finetuning.scoring import evaluate
from bertsmith.tasks.finetuning.trained_for import input_columns, pairs_task, trained_length

__all__ = [
    "FinetuneRecipe",
    "FinetuneResult",
    "FinetuneTraining",
    "data_files",
    "evaluate",
    "finetune",
    "input_columns",
    "pairs_task",
    "prediction_files",
    "recipe_for",
    "trained_length",
]
