"""A compiled model gives the numbers of the plain one."""

import shutil
import subprocess
import sys

import pytest
import torch

from bertsmith.errors import RecipeError
from bertsmith.model import BertConfig, BertForPreTraining
from bertsmith.training import compile_parts, resolve_compile

# In a process of its own: the shape checks of the tests can't be compiled.
SCRIPT = """
import torch
from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences
from bertsmith.objectives import MaskedLM
from bertsmith.training import LoopSettings, compile_parts, sums_for
from bertsmith.training.update import Updater
from bertsmith.training.window import Window

def batch(*lengths):
    packed = PackedSequences.from_lists([list(range(5, 5 + n)) for n in lengths])
    positions = torch.arange(1, packed.num_tokens, 3)
    parts = [getattr(packed, name) for name in packed.__dataclass_fields__]
    return PretrainingBatch(
        *parts, positions, packed.input_ids[positions], torch.arange(len(lengths)) % 2
    )

def train(is_compiled, dropout=0.0, recomputes=False):
    config = BertConfig.of_size(
        "tiny", vocab_size=90, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    torch.manual_seed(1)
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    names = list(model.state_dict())
    if is_compiled:
        compile_parts(model)
    assert list(model.state_dict()) == names
    settings = LoopSettings(
        precision="fp32", learning_rate=1e-3, activation_checkpointing=recomputes
    )
    update = Updater(model, MaskedLM(sums_for(is_compiled)), settings)
    if is_compiled:
        update.warm_up(batch(30, 7))
    for step in range(4):
        update([batch(30 + step, 7), batch(12, 40)], 1.0, Window())
    return list(model.parameters())

def assert_alike(these, those):
    for one, other in zip(these, those, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)

compiled, dropping = train(True), train(True, 0.1)
assert_alike(train(False), compiled)
# What is thrown away and computed again meets the same dropout.
assert_alike(dropping, train(True, 0.1, recomputes=True))
assert any(not torch.allclose(a, b) for a, b in zip(compiled, dropping, strict=True))
print("equal")
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch's compiler needs g++ on a CPU")
def test_a_compiled_model_trains_to_the_same_weights():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True
    )
    assert result.stdout.strip() == "equal", result.stderr[-2000:]


def test_compiling_is_for_gpus_unless_said_otherwise():
    cpu = torch.device("cpu")
    assert not resolve_compile("auto", cpu)
    assert resolve_compile(True, cpu)
    assert not resolve_compile(False, torch.device("cuda"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the compiler imports
def test_a_missing_cpp_compiler_is_told_before_the_first_update(monkeypatch, tmp_path):
    model = BertForPreTraining(BertConfig.of_size("tiny", vocab_size=90))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecipeError, match=r"training\.compile: .* no (g|clang)\+\+; install it"):
        compile_parts(model)
    compiler = tmp_path / "own-c++"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("CXX", str(compiler))
    compile_parts(model)
    assert all(layer._compiled_call_impl is not None for layer in model.bert.encoder.layers)
