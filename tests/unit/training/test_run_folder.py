"""The folder of a run: its recipe, its log, its lock, and what failed starts leave."""

import errno
import fcntl
import json
import os
import subprocess
import sys

import pytest

from bertsmith._files import sync
from bertsmith.errors import RecipeError, TrainingError
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.run_log import read_run
from checkpoint_runs import save


def test_a_run_of_another_recipe_is_refused(tmp_path):
    run = RunFolder(tmp_path)
    run.check_recipe({"training": {"seed": 1, "rate": 0.1}, "run": {"init": None}})
    run.check_recipe({"training": {"seed": 1, "rate": 0.1}, "run": {"init": None}})
    with pytest.raises(RecipeError, match=r"training\.rate = 0\.1, not 0\.2"):
        run.check_recipe({"training": {"seed": 1, "rate": 0.2}, "run": {"init": None}})


def test_a_run_that_takes_the_place_of_an_unused_one_is_tracked_anew(tmp_path):
    """Trackers have the other's settings, and take none back."""
    run, recipe = RunFolder(tmp_path), {"training": {"rate": 0.1}, "run": {"init": None}}
    run.check_recipe(recipe)
    run.log("start", 0)
    (tmp_path / "tensorboard").mkdir()
    kept = [tmp_path / "trackers.json", tmp_path / "tensorboard" / "events"]
    for path in kept:
        path.write_text("{}")
    run.check_recipe(recipe)
    assert all(path.exists() for path in kept)
    run.check_recipe({**recipe, "training": {"rate": 0.2}})
    assert not any(path.exists() for path in kept)


def test_a_recipe_that_is_only_planned_is_no_run(tmp_path):
    (tmp_path / "recipe.yaml").write_text("training:\n  seed: 1\n")
    with pytest.raises(TrainingError, match="no run wrote; give another output folder"):
        RunFolder(tmp_path).check_recipe({"training": {"seed": 1}, "run": {"init": None}})
    assert (tmp_path / "recipe.yaml").read_text() == "training:\n  seed: 1\n"


def test_log_survives_a_line_cut_short_and_forgets_what_is_done_again(tmp_path):
    run = RunFolder(tmp_path)
    for step in (10, 20, 30):
        run.log("train", step, mlm_loss=1.0)
    with run.metrics_path.open("a") as file:
        file.write('{"kind": "trai')
    assert [record["step"] for record in run.read_metrics()] == [10, 20, 30]
    run.forget_after(20)
    lines = run.metrics_path.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20]
    assert not run.is_finished
    run.log("end", 20, seconds=1.0)
    assert run.is_finished


def test_a_run_without_a_checkpoint_starts_anew_and_says_so(tmp_path):
    run, said = RunFolder(tmp_path), []
    run.log("start", 0)
    run.start_anew(said.append)
    assert (said, run.read_metrics()) == ([], [])
    run.log("train", 20, mlm_loss=9.0)
    run.start_anew(said.append)
    assert said == [
        f"{tmp_path}: there is no checkpoint, so the run starts anew; its log so far is "
        "metrics.jsonl.old"
    ]
    assert run.read_metrics() == []
    assert '"mlm_loss": 9.0' in (tmp_path / "metrics.jsonl.old").read_text()


def test_a_damaged_line_hides_no_other(tmp_path):
    run = RunFolder(tmp_path)
    for step in (10, 20, 30, 40):
        run.log("train", step, mlm_loss=1.0)
    lines = run.metrics_path.read_bytes().splitlines(keepends=True)
    no_text, no_step = bytearray(lines[1]), lines[2].replace(b"step", b"stap")
    no_text[5] ^= 128
    run.metrics_path.write_bytes(lines[0] + no_text + no_step + lines[3])
    assert [record["step"] for record in run.read_metrics()] == [10, 40]
    run.recipe_path.write_text("training: {}")
    assert read_run(tmp_path).step == 40
    run.recipe_path.write_bytes(b"training: \xb3")
    with pytest.raises(TrainingError, match=r"recipe\.yaml: can't be read"):
        read_run(tmp_path)


def test_two_runs_into_one_folder(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from bertsmith.training.run_folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock(): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(TrainingError, match="another run"), RunFolder(tmp_path).lock():
            pass
        other.communicate("")
    with RunFolder(tmp_path).lock():
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_disk_that_has_no_locks(tmp_path, monkeypatch, number):
    """Several machines' disks may be mounted without them."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    told = []
    with RunFolder(tmp_path).lock(told.append):
        pass
    assert told == [f"{tmp_path}: this disk has no locks; let nothing else write there"]
    monkeypatch.setattr("fcntl.flock", lambda *_: refuse_otherwise())

    def refuse_otherwise():
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"), RunFolder(tmp_path).lock(told.append):
        pass


def test_a_disk_that_syncs_no_folders(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("os.fsync", refuse)
    sync(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Invalid"):
        sync(tmp_path / "file")


def test_output_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(TrainingError, match="is not a folder"):
        RunFolder(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_resumed_run_forgets_what_lies_after_its_checkpoint(tmp_path, trained):
    """Or the damaged newest checkpoint would push the good new ones out."""
    run = RunFolder(tmp_path)
    for step in (3, 6):
        save(run.checkpoint_path(step), trained, step)
        run.log("train", step)
    run.forget_after(3)
    assert [folder.name for folder in run.checkpoints()] == ["step-000003"]
    assert [record["step"] for record in run.read_metrics()] == [3]


def test_what_a_killed_run_left_half_written_is_removed(tmp_path, trained):
    run = RunFolder(tmp_path)
    save(run.checkpoint_path(3), trained)
    save(run.checkpoints_path / ".step-000006.abc.tmp", trained)
    (run.checkpoints_path / ".best.tmp").symlink_to("step-000003")
    (tmp_path / ".metrics.jsonl.abc.tmp").write_text("half")
    with run.lock():
        assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
            [".lock", "checkpoints", "step-000003"]
            + [path.name for path in run.checkpoint_path(3).iterdir()]
        )


def test_a_start_that_fails_takes_its_folder_along(tmp_path):
    with pytest.raises(ValueError, match="bad start"), RunFolder(tmp_path / "a/new").lock():
        raise ValueError("bad start")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_in_its_first_update_takes_its_folder_along(tmp_path):
    run = RunFolder(tmp_path / "run")

    def bad_update(*, note=False):
        run.check_recipe({"training": {"micro_batch_size": 64}, "run": {}})
        run.log("start", 0)
        if note:
            (tmp_path / "run" / "note.txt").write_text("precious")
        raise MemoryError

    with pytest.raises(MemoryError), run.lock():
        bad_update()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MemoryError), run.lock():
        bad_update(note=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["note.txt"]


def test_a_run_that_was_killed_in_its_first_update_takes_another_recipe(tmp_path, trained):
    run = RunFolder(tmp_path)
    small, large = ({"training": {"micro_batch_size": size}, "run": {}} for size in (8, 64))

    def killed():
        for path in (run.recipe_path, run.metrics_path):
            path.unlink(missing_ok=True)
        run.check_recipe(large)
        run.log("start", 0)

    killed()
    run.check_recipe(small)
    assert run.read_recipe() == small
    for learn in (
        lambda: run.log("train", 20),
        lambda: run.log("skipped", 1),
        lambda: save(run.checkpoint_path(3), trained),
    ):
        killed()
        learn()
        with pytest.raises(RecipeError, match="micro_batch_size = 64, not 8"):
            run.check_recipe(small)


def test_a_start_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / ".hidden").write_text("precious")
    run = RunFolder(tmp_path)

    def bad_start():
        run.check_recipe({"training": {}})
        (tmp_path / "tensorboard").mkdir()
        (tmp_path / "tensorboard" / "events").write_text("nothing yet")
        raise ValueError("bad start")

    with pytest.raises(ValueError, match="bad start"), run.lock():
        bad_start()
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]
    (tmp_path / "letter.txt").write_text("precious")
    with pytest.raises(TrainingError, match="no run"), run.lock():
        run.check_recipe({"training": {}})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "letter.txt"]


def test_a_lock_whose_file_is_gone_is_no_lock(tmp_path, monkeypatch):
    """Its last holder deleted it in between: somebody may hold a new one already."""
    original = fcntl.flock

    def too_late(file, operation):
        original(file, operation)
        (tmp_path / ".lock").unlink()

    monkeypatch.setattr(fcntl, "flock", too_late)
    with pytest.raises(TrainingError, match="another run"), RunFolder(tmp_path).lock():
        pass


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "model.safetensors").write_text("precious")
    with pytest.raises(TrainingError, match="no run"):
        RunFolder(tmp_path).check_recipe({"training": {}})
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
