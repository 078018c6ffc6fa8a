"""Checkpoints: what they bring back, how damage is noticed, and which of them stay."""

import errno
import os

import pytest
import torch
from torch import nn

from bertsmith.errors import CheckpointError
from bertsmith.training.checkpoint import (
    load_training_state,
    verify_checkpoint,
)
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.settings import OptimizerSettings
from checkpoint_runs import save


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


def test_what_was_loaded_needs_the_file_no_more(tmp_path, trained):
    """Else the disk keeps a checkpoint that was deleted, as long as the run goes on."""
    folder = save(tmp_path / "step-000003", trained)
    model, optimizer = trained
    expected = {name: optimizer.state[p]["exp_avg"].clone() for name, p in model.named_parameters()}
    load_training_state(folder, model, optimizer)
    file = folder / "training_state.safetensors"
    with file.open("r+b") as opened:  # a mapping shows it
        opened.write(b"\xff" * file.stat().st_size)
    for name, parameter in model.named_parameters():
        assert torch.equal(optimizer.state[parameter]["exp_avg"], expected[name])


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


def test_hashes_of_nothing_make_no_checkpoint(tmp_path, trained):
    folder = save(tmp_path / "step-000003", trained)
    (folder / "hashes.json").write_text("{}")
    with pytest.raises(CheckpointError, match="incomplete"):
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
