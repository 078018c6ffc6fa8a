"""What ranks share, without starting any: epochs, seeds, random states, and who speaks."""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from torch.distributed import DistBackendError, HashStore
from torch.utils._pytree import SUPPORTED_NODES, tree_leaves, tree_map

from bertsmith import _process
from bertsmith._process import let_speak, speaks
from bertsmith._progress import progress
from bertsmith.errors import RecipeError, StoreError, WorkerError
from bertsmith.model import BertModelOutput, ModelOutput, PreTrainingSums
from bertsmith.model.packing import PackedSequences
from bertsmith.training import EpochBatches
from bertsmith.training.distributed import Ranks, _device_of, joined_ranks
from bertsmith.training.failures import judged
from bertsmith.training.gloo import quiet_gloo
from bertsmith.training.parallel import _let_fsdp_see_outputs
from bertsmith.training.random_states import random_states, restore_random_states, seed_rank

TWO = [Ranks(rank=rank, world_size=2) for rank in range(2)]


@pytest.fixture
def process(monkeypatch):
    """Undoes what a failing process decides about itself."""
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(_process, "_decided", None)
    yield monkeypatch
    signal.signal(signal.SIGTERM, handler)


def epochs(num_features, rank=0, world_size=1, *, size=4, micro=1):
    features = [[2, n, 3] for n in range(10, 10 + num_features)]
    return EpochBatches(
        features, PackedSequences.from_lists, global_batch_size=size, micro_batch_size=micro,
        seed=0, rank=rank, world_size=world_size,
    )  # fmt: skip


def tokens(batches):
    return [token for batch in batches for token in batch.input_ids.tolist()]


def test_sums_keep_their_order():
    """The bar and the log show them in it: the loss first."""
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        sums = TWO[0].sums({"mlm_loss": 3.0, "mlm_accuracy": 0.5, "loss": 4.0})
    finally:
        dist.destroy_process_group()
    assert list(sums.items()) == [("mlm_loss", 3.0), ("mlm_accuracy", 0.5), ("loss", 4.0)]


def test_ranks_divide_every_batch_of_an_epoch_and_share_an_odd_one():
    whole, parts = epochs(11), [epochs(11, rank, 2) for rank in range(2)]
    for step in range(2):
        both = [tokens(part.micro_batches(step)) for part in parts]
        assert both[0] + both[1] == tokens(whole.micro_batches(step))
    # Three features are left: all ranks get them, and sums and counts both double.
    for part in parts:
        assert tokens(part.micro_batches(2)) == tokens(whole.micro_batches(2))
    assert whole.steps_per_epoch == parts[0].steps_per_epoch == 3


@pytest.mark.parametrize("num_features", range(1, 14))
def test_what_all_ranks_have_counts_on_the_first(num_features):
    parts = [epochs(num_features, rank, 3, size=6, micro=2) for rank in range(3)]
    counted = [
        token
        for rank, part in enumerate(parts)
        for step in range(part.steps_per_epoch)
        if rank == 0 or not part.is_whole_on_all(step)
        for token in tokens(part.micro_batches(step))
    ]
    assert sorted(counted) == sorted(tokens(epochs(num_features, size=64).micro_batches(0)))


def test_all_ranks_have_equally_many_micro_batches():
    for num_features in range(1, 20):
        parts = [epochs(num_features, rank, 3, size=6, micro=2) for rank in range(3)]
        for step in range(parts[0].steps_per_epoch):
            assert len({len(part.micro_batches(step)) for part in parts}) == 1


def test_a_batch_that_cannot_be_divided():
    with pytest.raises(RecipeError, match=r"4 sequences .* 3 processes; use a multiple of 3"):
        epochs(11, 0, 3)


@pytest.mark.parametrize("num_items", range(7))
def test_shares_are_equally_many_and_everything_is_counted_once(num_items):
    ranks = [Ranks(rank=rank, world_size=3) for rank in range(3)]
    shares = [one.share(range(num_items)) for one in ranks]
    assert len({len(items) for items, _ in shares}) == 1
    assert sorted(item for items, own in shares for item in items[:own]) == list(range(num_items))


def test_ranks_and_steps_draw_different_numbers():
    draws = set()
    for ranks in TWO:
        for step in range(3):
            seed_rank(7, step, ranks)
            draws.add(torch.rand(()).item())
    assert len(draws) == 6


def test_random_states_of_as_many_ranks_are_put_back_and_others_drawn_anew():
    torch.manual_seed(1)
    alone = random_states(Ranks())
    expected = torch.rand(3)
    restore_random_states(alone, Ranks(), seed=7, step=5)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    both = {"random.cpu": alone["random.cpu"], "random.cpu.1": torch.get_rng_state()}
    of_second = torch.rand(3)
    restore_random_states(both, TWO[1], seed=7, step=5)
    assert torch.equal(torch.rand(3), of_second)
    # One rank can't take up the states of two, nor two that of one: seed, step and rank decide.
    for states, ranks in ((both, Ranks()), (alone, TWO[1])):
        restore_random_states(states, ranks, seed=7, step=5)
        drawn = torch.rand(3)
        seed_rank(7, 5, ranks)
        assert torch.equal(torch.rand(3), drawn)


def test_one_process_speaks_and_shows_progress(process):
    assert speaks()
    process.setenv("WORLD_SIZE", "2")
    process.setenv("RANK", "0")
    assert speaks()
    process.setenv("RANK", "1")
    assert not speaks()
    with progress("counting", total=3) as bar:
        assert type(bar).__name__ == "_Silent"
    let_speak(True)
    assert speaks()


def test_the_first_that_fails_says_why(process):
    store = HashStore()
    mine = judged(StoreError("does not exist", where="store"), 1, store)
    assert speaks()
    assert str(mine) == "rank 1: store: does not exist"
    named = StoreError("rank 2: store: does not exist")
    assert str(judged(named, 1, store)) == str(named)
    lost = judged(RuntimeError("[gloo] Connection closed by peer"), 0, store)
    assert not speaks()
    assert isinstance(lost, WorkerError)
    assert "another process of this run has ended; the same command goes on" in str(lost)


def test_a_library_that_fails_by_itself_is_quoted(process):
    """Where all ranks have the same fault none of them has ended, and going on doesn't help."""
    said = (
        "NCCL error in: ProcessGroupNCCL.cpp:3690, unhandled system error, NCCL version 2.27.5\n"
        "ncclSystemError: System call (e.g. socket, malloc) or external library call failed.\n"
        "Last error:\nError while creating shared memory segment /dev/shm/nccl-x (size 9637888)\n"
    )
    line = str(judged(DistBackendError(said), 0, HashStore()))
    assert line.startswith("rank 0: the processes of this run can't reach each other (Error while ")
    assert "/dev/shm/nccl-x (size 9637888)); mend that, and the same command goes on" in line
    gone = "NCCL error\nncclRemoteError: a remote process exited prematurely\n"
    line = str(judged(DistBackendError(gone), 0, HashStore()))
    assert line.startswith("rank 0: another process of this run has ended; the same command")


@pytest.mark.parametrize(
    ("error", "line"),
    [("Read error [192.0.2.7]:2163: Connection timed out", " at 192.0.2.7 no longer answers"),
     ("Read error [192.0.2.7]:2163: No route to host", " at 192.0.2.7 no longer answers"),
     ("Timed out waiting 1800000ms for recv operation to complete", " no longer answers"),
     ("Read error [2001:db8::7]:2163: Connection reset by peer", " at 2001:db8::7 has ended"),
     ("Read error [127.0.0.1]:2163: Connection reset by peer", " has ended"),
     ("Read error [::1]:2163: Connection reset by peer", " has ended")],
)  # fmt: skip
def test_a_machine_that_is_lost_is_named(process, error, line):
    said = f"[/gloo/transport/tcp/pair.cc:537] {error}. This is typically caused by a remote worker"
    judgement = str(judged(RuntimeError(said), 0, HashStore()))
    assert judgement.startswith(f"rank 0: another process of this run{line}")


def test_an_error_of_the_program_stays_what_it_is(process):
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert judged(error, 0, HashStore()) is error
    assert speaks()


@pytest.mark.parametrize(
    ("environment", "message"),
    [({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR is not set; start the processes with"),
     ({"WORLD_SIZE": "2"}, "RANK is not set"),
     ({"WORLD_SIZE": "many"}, "WORLD_SIZE is no number")],
)  # fmt: skip
def test_an_incomplete_environment(process, environment, message):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        process.delenv(name, raising=False)
    for name, value in environment.items():
        process.setenv(name, value)
    with pytest.raises(WorkerError, match=message), joined_ranks():
        pass


@pytest.fixture
def two_gpus(monkeypatch):
    """A machine of two GPUs, the second of which is broken."""

    def set_device(device):
        if device.index == 1:
            raise RuntimeError("CUDA error: uncorrectable ECC error\nCUDA kernel errors might be")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", set_device)


def devices_of(local_ranks):
    """What ranks get, each a device or an error."""
    store = HashStore()
    store.set_timeout(timedelta(seconds=20))

    def device(rank, local_rank):
        ranks = Ranks(rank=rank, world_size=len(local_ranks), local_rank=local_rank)
        try:
            return _device_of(ranks, store)
        except RecipeError as error:
            return str(error)

    with ThreadPoolExecutor(len(local_ranks)) as threads:
        return list(threads.map(device, range(len(local_ranks)), local_ranks))


@pytest.mark.parametrize(
    ("local_rank", "fault"),
    [(2, "local rank 2 has no GPU: this machine has 2; --nproc-per-node 2"),
     (1, "GPU 1 can't be used (CUDA error: uncorrectable ECC error); mend it, or leave it out by "
         "CUDA_VISIBLE_DEVICES")],
)  # fmt: skip
def test_a_rank_without_a_gpu_keeps_nobody_waiting(two_gpus, local_rank, fault):
    expected = f"rank 1 ({socket.gethostname()}): {fault}"
    assert devices_of([0, local_rank, 0]) == [expected] * 3


def test_ranks_have_the_gpus_of_their_machines(two_gpus):
    assert devices_of([0, 0]) == [torch.device("cuda", 0)] * 2


def test_pytorch_sees_the_tensors_of_outputs():
    """Without it FSDP2 of PyTorch 2.10 and 2.11 gave the backward pass no weights."""
    _let_fsdp_see_outputs()
    sums = PreTrainingSums(torch.ones(()), torch.tensor(3), torch.ones(2, 2))
    assert tree_leaves(sums) == [sums.total, sums.num_correct, sums.seq_relationship_logits]
    output = BertModelOutput(torch.ones(5, 4), None, hidden_states=(torch.ones(5, 4),))
    assert len([leaf for leaf in tree_leaves(output) if torch.is_tensor(leaf)]) == 2
    assert tree_map(lambda leaf: leaf, output) == output
    assert all(output_type in SUPPORTED_NODES for output_type in ModelOutput.__subclasses__())


@pytest.mark.parametrize(("version", "chatters"), [("2.10.0+cu128", False), ("2.13.0", True)])
def test_what_gloo_prints_in_pytorch_2_10_is_kept_from_results(
    monkeypatch, capfd, version, chatters
):
    monkeypatch.setattr(torch, "__version__", version)
    with quiet_gloo():
        os.write(1, b"[Gloo] Rank 0 is connected\n")
    os.write(1, b"{}\n")
    out, err = capfd.readouterr()
    assert ("[Gloo]" in out, "[Gloo]" in err) == (chatters, not chatters)
    assert out.endswith("{}\n")
