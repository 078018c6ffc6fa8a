"""Fine-tuning a pre-trained model on a task, and scoring a fine-tuned one."""

from bertsmith.tasks.finetuning.recipe import FinetuneRecipe, FinetuneTraining, recipe_for
from bertsmith.tasks.finetuning.running import FinetuneResult, finetune
from bertsmith.tasks.finetuning.scoring import evaluate

__all__ = [
    "FinetuneRecipe",
    "FinetuneResult",
    "FinetuneTraining",
    "evaluate",
    "finetune",
    "recipe_for",
]
