"""MLflow: `pip install 'bertsmith[mlflow]'`; MLFLOW_TRACKING_URI says where to.

Where it says nothing, MLflow's database is kept in the run's folder: `mlflow.db`.
"""

import os
import posixpath
import re
import time
from collections.abc import Mapping
from typing import Any

from bertsmith.training.trackers.base import Ending, TrackedRun, Tracker, numbers

__all__ = ["PACKAGE", "start"]

PACKAGE = "bertsmith[mlflow]"
# What MLflow takes: names of so many characters, values of so many, so many settings at once.
_LONGEST_NAME, _LONGEST_VALUE, _MOST_AT_ONCE = 250, 500, 100
_STATUS: dict[Ending, str] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def start(run: TrackedRun) -> Tracker:
    """Opens a run of the experiment MLFLOW_EXPERIMENT_NAME ("bertsmith"), or this run's own.

    MLflow takes no point back. Steps that are done again after a stop are not logged again: they
    give the same numbers.
    """
    from mlflow import MlflowClient

    own = f"sqlite:///{run.path.resolve() / 'mlflow.db'}"
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or own)
    run_id = run.recall("mlflow")
    if run_id is None:
        created = client.create_run(_experiment(client), run_name=run.name)
        run_id = created.info.run_id
        run.remember("mlflow", run_id)
        try:
            _log_settings(client, run_id, run.settings())
        except Exception:
            client.set_terminated(run_id, "FAILED")  # or it would seem to go on for ever
            raise
    else:
        client.update_run(run_id, status="RUNNING")
    return _MLflow(client, run_id)


def _experiment(client: Any) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "bertsmith")
    found = client.get_experiment_by_name(name)
    experiment: str = client.create_experiment(name) if found is None else found.experiment_id
    return experiment


def _log_settings(client: Any, run_id: str, settings: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    named = {_allowed(name): value[:_LONGEST_VALUE] for name, value in settings.items()}
    params = [Param(name, value) for name, value in named.items()]
    for first in range(0, len(params), _MOST_AT_ONCE):
        client.log_batch(run_id, params=params[first : first + _MOST_AT_ONCE])


def _allowed(name: str) -> str:
    """A name as MLflow takes it: those of fine-tuning's files hold their paths.

    Example:
        >>> _allowed("run.data.../reviews (new)//train.tsv")
        'run.data.../reviews _new_/train.tsv'
    """
    plain = posixpath.normpath(re.sub(r"[^\w./ -]", "_", name))
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:50]}...{plain[53 - _LONGEST_NAME :]}"


class _MLflow:
    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        kinds = ("train", "evaluation", "skipped", "end")
        self.done = {kind: self._last_step(kind) for kind in kinds}

    def log(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Sends a record as one request: each may take as long as some updates."""
        from mlflow.entities import Metric, RunTag

        if kind == "start":
            tags = [RunTag(name, str(value)) for name, value in values.items()]
            self.client.log_batch(self.run_id, tags=tags)
        elif step > self.done.get(kind, -1):
            now = int(1000 * time.time())
            metrics = [
                Metric(f"{kind}/{name}", number, now, step)
                for name, number in numbers(values).items()
            ]
            self.client.log_batch(self.run_id, metrics=metrics)

    def close(self, ending: Ending) -> None:
        self.client.set_terminated(self.run_id, _STATUS[ending])

    def _last_step(self, kind: str) -> int:
        """The last step of a kind that MLflow has; every record has its seconds."""
        history = self.client.get_metric_history(self.run_id, f"{kind}/seconds")
        return max((point.step for point in history), default=-1)
