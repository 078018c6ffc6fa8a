"""Checkpoints of a model of two layers, for tests of what becomes of them."""

import torch
from torch import nn

from bertsmith.training.checkpoint import (
    write_checkpoint,
)
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.settings import OptimizerSettings
from bertsmith.training.snapshot import Snapshots, TrainingState


def train_a_little():
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
