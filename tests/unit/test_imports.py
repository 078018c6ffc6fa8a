"""What nobody asked for isn't imported: it takes as long as the rest of PyTorch."""

import subprocess
import sys

import pytest

ROOMS = "import bertsmith.training, bertsmith.inference, bertsmith.tasks, bertsmith.plan"
OPTIMIZER = f"""
{ROOMS}
from torch import nn
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.settings import OptimizerSettings

for name in ("adamw", "google_adam", "lamb"):
    build_optimizer(nn.Linear(3, 2), OptimizerSettings(optimizer=name)).zero_grad()
"""


LOADING = f"""
{ROOMS}
import tempfile
from bertsmith.model import BertConfig, BertForMaskedLM, BertForPreTraining

with tempfile.TemporaryDirectory() as folder:
    BertForPreTraining(BertConfig.of_size("tiny", vocab_size=90)).save_pretrained(folder)
    BertForMaskedLM.from_pretrained(folder)
"""


@pytest.mark.parametrize(
    "code", [ROOMS, OPTIMIZER, LOADING], ids=["rooms", "optimizers", "loading"]
)
def test_neither_the_compiler_nor_what_cuts_tensors_is_imported(code):
    ask = "import sys; print([n for n in ('torch._dynamo', 'torch.distributed.tensor', 'sympy')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ask} if n in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"
