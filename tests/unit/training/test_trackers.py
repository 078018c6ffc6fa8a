"""Every tracker gets the log of a real run, and a run that goes on draws no curve twice."""

import contextlib
import os
import signal
import struct
import sys
import threading
import time

import pytest

from bertsmith.errors import TrainingError
from bertsmith.training import Interrupted, pretrain
from bertsmith.training.trackers import TRACKERS, TrackedRun, tracking
from seeing_runs import recipe, records


def silent(line):
    raise AssertionError(line)


def interrupted(store, settings, folder, monkeypatch):
    """Runs until a signal at step 6, and after that a crash is played: log goes on to step 8."""
    from bertsmith.training.update import Updater

    original, steps = Updater.__call__, []

    def stop_at_six(self, *arguments):
        original(self, *arguments)
        steps.append(0)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Updater, "__call__", stop_at_six)
        with pytest.raises(Interrupted):
            pretrain(store, settings, folder, warn=silent)


def test_tensorboard_has_the_log_and_no_point_twice(store, tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = recipe("training.num_steps=12", "training.log_every_steps=1")
    interrupted(store, settings, tmp_path / "run", monkeypatch)
    # Files are read in the order of their names: the second, then as a word (10 before 9) how many
    # this process has opened. Sittings are processes of their own, and take longer.
    time.sleep(1.1)
    # What a run that is killed after its checkpoint leaves behind.
    with tracking(["tensorboard"], TrackedRun(tmp_path / "run", {}, 6), silent) as listeners:
        for step in (7, 8):
            listeners[0]("train", step, {"mlm_loss": 99.0})
    time.sleep(1.1)
    pretrain(store, settings, tmp_path / "run", warn=silent)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    logged = records(tmp_path / "run")
    for kind, name in (("train", "mlm_loss"), ("train", "mfu"), ("evaluation", "unigram_loss")):
        points = {event.step: event.value for event in events.Scalars(f"{kind}/{name}")}
        expected = {r["step"]: r[name] for r in logged if r["kind"] == kind}
        assert len(events.Scalars(f"{kind}/{name}")) == len(expected)
        assert points == pytest.approx(expected, rel=1e-5)
    assert "recipe/text_summary" in events.Tags()["tensors"]


def test_mlflow_has_the_log_and_no_point_twice(store, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    changes = ("training.num_steps=12", "training.log_every_steps=1", "training.trackers=[mlflow]")
    folder = tmp_path / "run"
    interrupted(store, recipe(*changes), folder, monkeypatch)
    # What a run that is killed after its checkpoint leaves behind; done again it gives the same.
    with tracking(["mlflow"], TrackedRun(folder, {}, 6), silent) as listeners:
        for step in (7, 8):
            listeners[0]("train", step, {"mlm_loss": 5.0, "seconds": 1.0})
    pretrain(store, recipe(*changes), folder, warn=silent)
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("bertsmith")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "run"
    assert run.data.params["training.num_steps"] == "12"
    assert run.data.tags["precision"] == "fp32"
    for kind, name in (("train", "mlm_loss"), ("evaluation", "mlm_accuracy")):
        history = client.get_metric_history(run.info.run_id, f"{kind}/{name}")
        expected = {r["step"]: r[name] for r in records(folder) if r["kind"] == kind}
        if kind == "train":
            expected |= {7: 5.0, 8: 5.0}
        assert {point.step: point.value for point in history} == pytest.approx(expected)
        assert len(history) == len(expected)
    assert not (folder / "tensorboard").exists()


def test_mlflow_takes_any_path_for_a_name_and_a_skip_once(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    files = {"/a//b/../ü (1)?.tsv": "1", "/long" * 100 + ".tsv": "2"}
    many = {f"file{number}": "3" for number in range(150)}
    run = TrackedRun(tmp_path, {"run": {"data": files | many}}, 0)
    for _ in range(2):  # the second time as after a stop
        with tracking(["mlflow"], run, silent) as (listener,):
            listener("skipped", 7, {"reason": "loss nan", "loss": "nan", "seconds": 1.5})
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (kept,) = client.search_runs([client.get_experiment_by_name("bertsmith").experiment_id])
    assert sorted(kept.data.params.values()) == sorted(["1", "2", *["3"] * 150])
    assert kept.data.params["run.data./a/ü _1__.tsv"] == "1"
    assert len(client.get_metric_history(kept.info.run_id, "skipped/seconds")) == 1


def test_mlflow_has_no_run_that_goes_on_for_ever(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def fail(*arguments, **options):
        raise ConnectionError("no route")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "log_batch", fail)
        run = TrackedRun(tmp_path, {"seed": 1}, 0)
        with pytest.raises(TrainingError, match="no route"), tracking(["mlflow"], run, silent):
            pass
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (kept,) = client.search_runs([client.get_experiment_by_name("bertsmith").experiment_id])
    assert kept.info.status == "FAILED"


@pytest.mark.parametrize(
    ("ends", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED"), (None, "FINISHED")]
)
def test_mlflow_tells_how_a_sitting_ended(tmp_path, monkeypatch, ends, status):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with (
        contextlib.suppress(KeyboardInterrupt, ValueError),
        tracking(["mlflow"], TrackedRun(tmp_path, {}, 0), silent),
    ):
        if ends is not None:
            raise ends
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (kept,) = client.search_runs([client.get_experiment_by_name("bertsmith").experiment_id])
    assert kept.info.status == status


def test_wandb_works_without_a_network(store, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    changes = ("training.num_steps=8", "training.log_every_steps=1")
    settings = recipe(*changes, "training.trackers=[wandb,tensorboard]")
    pretrain(store, settings, tmp_path / "run", warn=silent)
    (kept,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    # Its own process writes the file, on a busy machine some time later. That is cut into blocks
    # of 32 KiB, so that a name may be in two parts; not many are.
    deadline = time.monotonic() + 120
    while kept.read_bytes().count(b"train/mlm_accuracy") < 6 and time.monotonic() < deadline:
        time.sleep(0.1)
    content = kept.read_bytes()
    assert content.count(b"train/mlm_accuracy") >= 6
    assert content.count(b"evaluation/") >= 6
    assert (tmp_path / "run" / "tensorboard").is_dir()


def wandb_records(path):
    """(kind, record) of a file that Weights & Biases wrote offline: LevelDB's log format."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, record = path.read_bytes(), 7, b""  # behind a head of its own
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, part = struct.unpack_from("<IHB", content, place)
        if place + 7 + size > len(content):
            return  # it is being written
        record += content[place + 7 : place + 7 + size]
        place += 7 + size
        if part in (1, 4):  # the whole, or its last part
            kept = Record.FromString(record)
            yield kept.WhichOneof("record_type"), kept
            record = b""


def written_by_wandb(folder, is_complete):
    """(kind, record) of the only run in a folder, when its own process has written them."""
    (kept,) = folder.glob("wandb/offline-run-*/*.wandb")
    deadline = time.monotonic() + 120
    while not is_complete(found := list(wandb_records(kept))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_wandb_takes_an_evaluation_that_comes_late(tmp_path, monkeypatch):
    """A stop leaves it to the next sitting, which begins behind the last line's step."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    sent = [("train", 20), ("train", 40), ("evaluation", 20), ("train", 60), ("end", 60)]
    with tracking(["wandb"], TrackedRun(tmp_path, {}, 0), silent) as (listener,):
        for kind, step in sent:
            listener(kind, step, {"seconds": 1.0, "mlm_loss": 7.0})
    found = written_by_wandb(tmp_path, lambda found: "exit" in dict(found))
    rows = [
        {(item.key or "/".join(item.nested_key)): item.value_json for item in record.history.item}
        for kind, record in found
        if kind == "history"
    ]
    steps = [(name, int(row[f"{name}/step"])) for row in rows for name in _kinds(row)]
    assert sorted(steps) == sorted(sent)  # those of one update are one row, in any order


def _kinds(row):
    return [name.removesuffix("/step") for name in row if name.endswith("/step")]


@pytest.mark.parametrize(
    ("ends", "code", "is_preempted"),
    [(KeyboardInterrupt, 1, True), (ValueError, 1, False), (None, 0, False)],
)
def test_wandb_is_told_how_a_sitting_ended(tmp_path, monkeypatch, ends, code, is_preempted):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with (
        contextlib.suppress(KeyboardInterrupt, ValueError),
        tracking(["wandb"], TrackedRun(tmp_path, {}, 0), silent),
    ):
        if ends is not None:
            raise ends
    told = dict(written_by_wandb(tmp_path, lambda found: "exit" in dict(found)))
    assert told["exit"].exit.exit_code == code
    assert ("preempting" in told) == is_preempted


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_library_is_told_before_the_first_step(store, tmp_path, monkeypatch, name):
    hide = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
    monkeypatch.setitem(sys.modules, hide[name], None)
    settings = recipe("training.num_steps=4", f"training.trackers=[{name}]")
    with pytest.raises(TrainingError, match=rf"{name}.* is not installed.*; pip install") as error:
        pretrain(store, settings, tmp_path / "run", warn=silent)
    assert "\n" not in str(error.value)
    log = tmp_path / "run" / "metrics.jsonl"
    assert not log.exists() or not log.read_text()
    # Without it the same run can be made.
    pretrain(store, recipe("training.num_steps=4", "training.trackers=[]"), tmp_path / "run",
             warn=silent)  # fmt: skip


def test_a_start_that_fails_leaves_nothing_of_the_other_trackers(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    settings = recipe("training.num_steps=4", "training.trackers=[tensorboard,wandb]")
    with pytest.raises(TrainingError, match="wandb"):
        pretrain(store, settings, tmp_path / "run", warn=silent)
    assert list(tmp_path.iterdir()) == []


def test_a_first_update_that_fails_leaves_nothing(store, tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr("bertsmith.training.update.Updater.__call__", fail)
    with pytest.raises(MemoryError):
        pretrain(store, recipe("training.num_steps=4"), tmp_path / "run", warn=silent)
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_fails_does_not_stop_the_run(tmp_path, monkeypatch):
    from bertsmith.training.trackers import tensorboard

    class Broken:
        def log(self, kind, step, values):
            raise ConnectionError("no route\nto host")

        def close(self, ending):
            raise ConnectionError("no route")

    monkeypatch.setattr(tensorboard, "start", lambda run: Broken())
    lines = []
    with tracking(["tensorboard"], TrackedRun(tmp_path, {}, 0), lines.append) as (listener,):
        listener("train", 1, {"loss": 1.0})
        listener("train", 2, {"loss": 1.0})
    assert lines == [
        "tensorboard failed (no route to host); the run goes on without it, and its metrics.jsonl "
        "has everything"
    ]


def test_a_tracker_that_fails_at_the_end_is_told_too(tmp_path, monkeypatch):
    from bertsmith.training.trackers import tensorboard

    class Broken:
        def close(self, ending):
            raise ConnectionError("no route")

    monkeypatch.setattr(tensorboard, "start", lambda run: Broken())
    lines = []
    with tracking(["tensorboard"], TrackedRun(tmp_path, {}, 0), lines.append):
        pass
    assert [line.partition(";")[0] for line in lines] == ["tensorboard failed (no route)"]


def test_other_threads_still_tell_what_they_raise(tmp_path, monkeypatch):
    def fail():
        raise ValueError("of a thread")

    told = []
    monkeypatch.setattr("threading.excepthook", lambda raised: told.append(str(raised.exc_value)))
    before = threading.excepthook
    with tracking(["tensorboard"], TrackedRun(tmp_path, {}, 0), silent):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert told == ["of a thread"]
    assert threading.excepthook is before
