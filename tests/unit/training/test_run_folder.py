import errno
import fcntl
import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from bertsmith.errors import CheckpointError, RecipeError, TrainingError
from bertsmith.training.checkpoint import (
    load_training_state,
    verify_checkpoint,
    write_checkpoint,
)
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.run_log import read_run
from bertsmith.training.settings import OptimizerSettings
from bertsmith.training.snapshot import Snapshots, TrainingState


@pytest.fixture
def trained():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    optimizer = build_optimizer(model, OptimizerSettings())
    for _ in range(3):
        model(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def save_weights(target, weights):
    torch.save(weights, target / "weights.bin")


def save(folder, trained, step=3, save_model=save_weights):
    state = TrainingState(step=step, seconds=1.5, best_score=0.25)
    write_checkpoint(folder, Snapshots().take(state, *trained, {}), save_model)
    return folder


def test_checkpoint_brings_optimizer_and_random_state_back(tmp_path, trained):
    folder = save(tmp_path / "step-000003", trained)
    model, optimizer = trained
    expected_draw = torch.rand(4)
    twin = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    twin.load_state_dict(torch.load(folder / "weights.bin", weights_only=True))
    twin_optimizer = build_optimizer(twin, OptimizerSettings())
    state, _ = load_training_state(folder, twin, twin_optimizer)
    assert (state.step, state.seconds, state.best_score) == (3, 1.5, 0.25)
    assert torch.equal(torch.rand(4), expected_draw)
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        for key, value in optimizer.state[one].items():
            assert torch.equal(value, twin_optimizer.state[other][key]), key
    inputs = torch.randn(5, 3)
    for net, opt in ((model, optimizer), (twin, twin_optimizer)):
        net(inputs).square().sum().backward()
        opt.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["weights.bin", "training_state.safetensors", "hashes.json"])
def test_a_file_cut_in_half_is_noticed_and_named(tmp_path, trained, name):
    folder = save(tmp_path / "step-000003", trained)
    verify_checkpoint(folder)
    size = (folder / name).stat().st_size
    os.truncate(folder / name, size // 2)
    with pytest.raises(CheckpointError, match=name):
        verify_checkpoint(folder)


def test_a_flipped_bit_and_a_missing_file_are_noticed(tmp_path, trained):
    folder = save(tmp_path / "step-000003", trained)
    data = bytearray((folder / "weights.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "weights.bin").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"weights\.bin is damaged"):
        verify_checkpoint(folder)
    (folder / "weights.bin").unlink()
    with pytest.raises(CheckpointError, match=r"lacks weights\.bin"):
        verify_checkpoint(folder)


def test_a_damaged_checkpoint_is_passed_over_for_the_last_good_one(tmp_path, trained):
    run = RunFolder(tmp_path)
    for step in (3, 6):
        save(run.checkpoint_path(step), trained, step)
    os.truncate(run.checkpoint_path(6) / "weights.bin", 10)
    said = []
    assert run.last_good_checkpoint(said.append) == run.checkpoint_path(3)
    assert said == [
        f"{run.checkpoint_path(6)}: weights.bin is damaged: its hash differs; "
        "going on from step-000003, the last good one"
    ]
    os.truncate(run.checkpoint_path(3) / "weights.bin", 10)
    with pytest.raises(CheckpointError) as error:
        run.last_good_checkpoint(said.append)
    assert str(error.value) == (
        f"{run.checkpoints_path}: none of the 2 checkpoints can be used "
        "(step-000006: weights.bin is damaged: its hash differs, "
        "step-000003: weights.bin is damaged: its hash differs); "
        "copy one back from elsewhere, or give another output folder to start anew"
    )
    assert len(said) == 1
    assert run.checkpoint_path(6).is_dir()


def test_saving_that_fails_leaves_no_half_checkpoint(tmp_path, trained):
    run = RunFolder(tmp_path)
    save(run.checkpoint_path(3), trained)

    def fail(target, weights):
        (target / "weights.bin").write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save(run.checkpoint_path(6), trained, 6, fail)
    assert [folder.name for folder in run.checkpoints()] == ["step-000003"]
    assert [path.name for path in run.checkpoints_path.iterdir()] == ["step-000003"]


def test_old_checkpoints_go(tmp_path, trained):
    run = RunFolder(tmp_path)
    for step in (3, 100, 1_000_000):
        save(run.checkpoint_path(step), trained, step)
    run.keep_checkpoints(2)
    assert [folder.name for folder in run.checkpoints()] == ["step-1000000", "step-000100"]


def test_an_old_checkpoint_that_cannot_be_deleted_goes_later(tmp_path, trained, monkeypatch):
    """As on NFS, where a file that somebody reads stays under another name."""
    run, original = RunFolder(tmp_path), os.rmdir

    def busy(path, **options):
        if "step-000003" in str(path):
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        original(path, **options)

    for step in (3, 6):
        save(run.checkpoint_path(step), trained, step)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", busy)
        run.keep_checkpoints(1)
        assert run.checkpoints() == [run.checkpoint_path(6)]
        with run.lock():
            assert (run.checkpoints_path / ".step-000003.tmp").exists()
    save(run.checkpoint_path(9), trained, 9)
    run.keep_checkpoints(1)
    assert [path.name for path in run.checkpoints_path.iterdir()] == ["step-000009"]


def test_a_copy_of_a_checkpoint_under_another_name_is_left_alone(tmp_path, trained):
    run = RunFolder(tmp_path)
    for step in (3, 6):
        save(run.checkpoint_path(step), trained, step)
    save(run.checkpoints_path / "step-000003.good", trained)
    (run.checkpoints_path / "step-final").mkdir()
    run.keep_checkpoints(1)
    assert [folder.name for folder in run.checkpoints()] == ["step-000006"]
    assert (run.checkpoints_path / "step-000003.good").is_dir()


def test_the_best_checkpoint_stays_and_has_a_name(tmp_path, trained):
    run = RunFolder(tmp_path)
    best = run.checkpoints_path / "best"
    for step, best_step, kept in (
        (3, 3, [3]),
        (6, 3, [6, 3]),
        (9, 3, [9, 3]),
        (12, 12, [12]),
        (15, 12, [15, 12]),
    ):
        save(run.checkpoint_path(step), trained, step)
        run.keep_checkpoints(1, best_step)
        assert run.checkpoints() == [run.checkpoint_path(step) for step in kept]
        assert best.resolve() == run.checkpoint_path(best_step).resolve()
    assert (best / "weights.bin").is_file()


def test_a_run_of_another_recipe_is_refused(tmp_path):
    run = RunFolder(tmp_path)
    run.check_recipe({"training": {"seed": 1, "rate": 0.1}, "run": {"init": None}})
    run.check_recipe({"training": {"seed": 1, "rate": 0.1}, "run": {"init": None}})
    with pytest.raises(RecipeError, match=r"training\.rate = 0\.1, not 0\.2"):
        run.check_recipe({"training": {"seed": 1, "rate": 0.2}, "run": {"init": None}})


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


def test_a_lost_best_checkpoint_has_no_name_any_more(tmp_path, trained):
    run = RunFolder(tmp_path)
    for step in (3, 6):
        save(run.checkpoint_path(step), trained, step)
        run.keep_checkpoints(2, step)
    run.forget_after(3)
    assert sorted(path.name for path in run.checkpoints_path.iterdir()) == [
        "damaged-step-000006",
        "step-000003",
    ]


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
