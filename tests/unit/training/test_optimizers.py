"""Optimizers against plain NumPy transcriptions of their formulas, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.settings import OptimizerSettings

RATES = [0.0, 3e-3, 1e-2, 5e-3, 1e-3]
SETTINGS = {
    "learning_rate": 1e-2,
    "weight_decay": 0.1,
    "adam_beta1": 0.9,
    "adam_beta2": 0.99,
    "adam_epsilon": 1e-6,
}


def google_adam(theta, m, v, grad, step, lr, decay):
    """`AdamWeightDecayOptimizer.apply_gradients` of google-research/bert."""
    next_m = 0.9 * m + (1.0 - 0.9) * grad
    next_v = 0.99 * v + (1.0 - 0.99) * np.square(grad)
    update = next_m / (np.sqrt(next_v) + 1e-6)
    if decay:
        update += decay * theta
    return theta - lr * update, next_m, next_v


def adamw(theta, m, v, grad, step, lr, decay):
    """Algorithm 2 of Loshchilov and Hutter 2019."""
    next_m = 0.9 * m + 0.1 * grad
    next_v = 0.99 * v + 0.01 * grad**2
    mean, square = next_m / (1 - 0.9**step), next_v / (1 - 0.99**step)
    return theta - lr * (mean / (np.sqrt(square) + 1e-6) + decay * theta), next_m, next_v


def lamb(theta, m, v, grad, step, lr, decay):
    """Algorithm 2 of You et al. 2020; without decay, no adaptation."""
    next_m = 0.9 * m + 0.1 * grad
    next_v = 0.99 * v + 0.01 * grad**2
    mean, square = next_m / (1 - 0.9**step), next_v / (1 - 0.99**step)
    update = mean / (np.sqrt(square) + 1e-6)
    ratio = 1.0
    if decay:
        update = update + decay * theta
        norms = np.linalg.norm(theta), np.linalg.norm(update)
        ratio = norms[0] / norms[1] if min(norms) > 0 else 1.0
    return theta - lr * ratio * update, next_m, next_v


REFERENCES = {"adamw": adamw, "google_adam": google_adam, "lamb": lamb}


def model_of():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(7, 5), nn.LayerNorm(5), nn.Linear(5, 3))
    with torch.no_grad():
        model[2].weight.zero_()  # its first ratio is 0 / norm
    return model


def gradients(model, number):
    generator = torch.Generator().manual_seed(number)
    return [torch.randn(p.shape, generator=generator) * 0.1**number for p in model.parameters()]


def take_steps(model, optimizer, numbers):
    for number in numbers:
        for parameter, gradient in zip(model.parameters(), gradients(model, number), strict=True):
            parameter.grad = gradient.to(parameter.device)
        for group in optimizer.param_groups:
            group["lr"] = RATES[number]
        optimizer.step()


@pytest.mark.parametrize("uses_kernels", [False, True])
@pytest.mark.parametrize("name", REFERENCES)
def test_five_updates_are_those_of_the_formulas(name, uses_kernels):
    model, settings = model_of(), OptimizerSettings(optimizer=name, **SETTINGS)
    optimizer = build_optimizer(model, settings, uses_kernels=uses_kernels)
    expected = []
    for index, parameter in enumerate(model.parameters()):
        theta = parameter.detach().double().numpy().copy()
        m, v = np.zeros_like(theta), np.zeros_like(theta)
        for number, rate in enumerate(RATES):
            gradient = gradients(model, number)[index].double().numpy()
            decay = 0.1 if theta.ndim > 1 else 0.0
            theta, m, v = REFERENCES[name](theta, m, v, gradient, number + 1, rate, decay)
        expected.append(theta)
    take_steps(model, optimizer, range(5))
    for parameter, theta in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), theta, atol=2e-7, rtol=2e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_a_parameter_without_gradient_is_left_alone(name):
    model = model_of()
    optimizer = build_optimizer(model, OptimizerSettings(optimizer=name, **SETTINGS))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    first = next(model.parameters())
    first.grad = torch.ones_like(first)
    optimizer.step()
    same = [torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert same == [False, *[True] * 5]


@pytest.mark.parametrize("name", REFERENCES)
def test_frozen_parameters_are_no_business_of_the_optimizer(name):
    model = model_of()
    model[0].requires_grad_(False)
    optimizer = build_optimizer(model, OptimizerSettings(optimizer=name, **SETTINGS))
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert known == {id(p) for p in [*model[1].parameters(), *model[2].parameters()]}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_state_is_tensors_by_name(name):
    """So that a checkpoint can hold it."""
    model = model_of()
    optimizer = build_optimizer(model, OptimizerSettings(optimizer=name, **SETTINGS))
    take_steps(model, optimizer, range(2))
    for parameter in model.parameters():
        state = optimizer.state[parameter]
        assert set(state) == {"step", "exp_avg", "exp_avg_sq"}
        assert all(isinstance(value, torch.Tensor) for value in state.values())
        assert state["step"].shape == ()


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("skip", [0.0, 1.0])
def test_an_update_can_be_skipped_on_the_device(name, skip):
    """As `GradScaler` does it: the optimizer itself looks at `found_inf`."""
    models = model_of(), model_of()
    optimizers = []
    for model in models:
        optimizers.append(build_optimizer(model, OptimizerSettings(optimizer=name, **SETTINGS)))
        take_steps(model, optimizers[-1], range(2))
    optimizers[1].found_inf = torch.tensor(skip)
    for parameter, gradient in zip(models[1].parameters(), gradients(models[1], 2), strict=True):
        parameter.grad = torch.full_like(parameter, torch.nan) if skip else gradient
    optimizers[1].step()
    if not skip:
        for group in optimizers[0].param_groups:
            group["lr"] = RATES[1]
        for parameter, gradient in zip(
            models[0].parameters(), gradients(models[0], 2), strict=True
        ):
            parameter.grad = gradient
        optimizers[0].step()
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)
        for key, value in optimizers[0].state[one].items():
            assert torch.equal(value, optimizers[1].state[other][key]), key


def sharded_steps(rank, name, address, folder):
    import torch.distributed as dist
    from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    model = model_of()
    shards = [distribute_tensor(p.detach(), mesh, [Shard(0)]) for p in model.parameters()]
    sharded = nn.ParameterList([nn.Parameter(shard) for shard in shards])
    optimizer = build_optimizer(sharded, OptimizerSettings(optimizer=name, **SETTINGS))
    for number in range(5):
        for parameter, gradient in zip(sharded, gradients(model, number), strict=True):
            parameter.grad = distribute_tensor(gradient, mesh, [Shard(0)])
        for group in optimizer.param_groups:
            group["lr"] = RATES[number]
        optimizer.step()
    whole = [parameter.full_tensor().detach() for parameter in sharded]
    if rank == 0:
        torch.save(whole, folder / "whole.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("name", ["google_adam", "lamb"])
def test_sharded_parameters_get_the_same_updates(name, tmp_path):
    """LAMB's lengths are those of whole tensors: of 5 rows, one process has 3 and the other 2."""
    address = f"file://{tmp_path}/rendezvous"
    torch.multiprocessing.spawn(sharded_steps, (name, address, tmp_path), nprocs=2)
    model = model_of()
    take_steps(
        model, build_optimizer(model, OptimizerSettings(optimizer=name, **SETTINGS)), range(5)
    )
    whole = torch.load(tmp_path / "whole.pt", weights_only=True)
    for one, other in zip(model.parameters(), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("name", REFERENCES)
def test_a_gpu_agrees_with_the_cpu_and_is_never_waited_for(name):
    models = model_of(), model_of().cuda()
    for model in models:
        optimizer = build_optimizer(model, OptimizerSettings(optimizer=name, **SETTINGS))
        take_steps(model, optimizer, range(4))
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        torch.cuda.set_sync_debug_mode("error")
        try:
            optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other.cpu(), atol=2e-7, rtol=2e-6)
