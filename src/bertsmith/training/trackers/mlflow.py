"""MLflow: `pip install 'bertsmith[mlflow]'`; MLFLOW_TRACKING_URI says where to.

Where it says nothing, MLflow's database is kept in the run's folder: `mlflow.db`.
"""

import os
from collections.abc import Mapping
from typing import Any

from bertsmith.training.trackers.base import TrackedRun, Tracker, numbers

__all__ = ["PACKAGE", "start"]

PACKAGE = "bertsmith[mlflow]"


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
        for name, value in run.settings().items():
            client.log_param(run_id, name, value[:500])
        run.remember("mlflow", run_id)
    else:
        client.update_run(run_id, status="RUNNING")
    return _MLflow(client, run_id)


def _experiment(client: Any) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "bertsmith")
    found = client.get_experiment_by_name(name)
    experiment: str = client.create_experiment(name) if found is None else found.experiment_id
    return experiment


class _MLflow:
    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self.done = {kind: self._last_step(kind) for kind in ("train", "evaluation", "end")}

    def log(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        if kind == "start":
            for name, value in values.items():
                self.client.set_tag(self.run_id, name, str(value))
        elif step > self.done.get(kind, -1):
            for name, number in numbers(values).items():
                self.client.log_metric(self.run_id, f"{kind}/{name}", number, step=step)

    def close(self) -> None:
        self.client.set_terminated(self.run_id)

    def _last_step(self, kind: str) -> int:
        """The last step of a kind that MLflow has; every record has its seconds."""
        history = self.client.get_metric_history(self.run_id, f"{kind}/seconds")
        return max((point.step for point in history), default=-1)
