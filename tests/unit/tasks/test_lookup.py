import subprocess
import sys

import pytest

from bertsmith.errors import RecipeError
from bertsmith.tasks import get_task, task_names

NAMES = (
    *("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "squad", "squad2"),
    *("swag", "ner", "classify", "pair", "regress", "tag", "choose", "answer"),
)


def test_all_tasks_are_found_by_name():
    assert task_names() == tuple(sorted(NAMES))
    for name in NAMES:
        assert get_task(name).name == name


@pytest.mark.parametrize("name", ["nli", "base", "families", "finetuning", "../cola", ""])
def test_an_unknown_task_lists_the_known_ones(name):
    with pytest.raises(RecipeError, match=r"answer, choose, classify, cola, .*, wnli"):
        get_task(name)


def test_listing_the_tasks_imports_nothing_heavy():
    code = "import sys; from bertsmith.tasks import task_names; task_names(); "
    code += "print(sorted({'torch', 'numpy', 'scipy', 'pyarrow'} & sys.modules.keys()))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "[]"
