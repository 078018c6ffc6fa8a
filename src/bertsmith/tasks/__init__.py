"""Fine-tuning tasks: one module a task, found by its name."""

from bertsmith.tasks.base import Feature, Task, TaskData
from bertsmith.tasks.lookup import get_task, task_names

__all__ = ["Feature", "Task", "TaskData", "get_task", "task_names"]
