"""The README's Python runs as printed, and its commands work in the order in which they stand."""

import doctest
import random
import re
import shlex
from pathlib import Path

import pytest

from cli_runs import FAST, run, sentence

README = Path(__file__).parents[2] / "README.md"


def commands():
    blocks = re.findall(r"```\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("bertsmith ")]


def test_python_prints_what_it_says():
    result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted >= 10
    assert result.failed == 0


def test_make_targets_exist():
    makefile = (README.parent / "Makefile").read_text()
    targets = re.findall(r"^make ([a-z-]+)", README.read_text(), flags=re.MULTILINE)
    assert set(targets) == {"demo", "test"}
    assert all(f"\n{target}:" in makefile for target in targets)


@pytest.fixture
def users_folder(tmp_path, monkeypatch):
    """The files that the commands name, small."""
    import json

    import zstandard

    from bertsmith.corpus import Document
    from corpus_files import COMPRESS, write_xml

    rng = random.Random(5)
    records = [
        json.dumps({"title": str(i), "text": " ".join(sentence(rng) for _ in range(8))})
        for i in range(40)
    ]
    packed = zstandard.compress("\n".join(records).encode())
    (tmp_path / "wiki.jsonl.zst").write_bytes(packed)
    (tmp_path / "clinic.jsonl.zst").write_bytes(packed)
    pages = [Document(str(i), [sentence(rng) for _ in range(8)]) for i in range(20)]
    dump = tmp_path / "enwiki-latest-pages-articles.xml.bz2"
    dump.write_bytes(COMPRESS[".bz2"](write_xml(pages)))
    (tmp_path / "more.txt").write_text("\n".join(sentence(rng) for _ in range(9)))
    (tmp_path / "glue" / "SST-2").mkdir(parents=True)
    for name in ("train", "dev"):
        rows = [f"{sentence(rng)}\t{rng.randint(0, 1)}\n" for _ in range(16)]
        path = tmp_path / "glue" / "SST-2" / f"{name}.tsv"
        path.write_text("sentence\tlabel\n" + "".join(rows) + "the city .\t0\nthe river .\t1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_work(users_folder, capsys):
    shrink = {"pretrain": FAST, "finetune": ("--set", "training.num_epochs=1")}
    names = []
    for _, *words in commands():
        num_words = 2 if words[0] in ("doctor", "store") or words[1] == "extend" else 1
        name, arguments = " ".join(words[:num_words]), words[num_words:]
        small = ["3s" if argument in ("1h", "2h") else argument for argument in arguments]
        assert run(*words[:num_words], *small, *shrink.get(name, ())) == 0, capsys.readouterr().err
        names.append(name)
    assert names == [
        *("vocab", "prepare", "pretrain", "predict", "finetune", "evaluate"),
        *("doctor corpus", "prepare", "prepare", "doctor store", "store sample", "vocab extend"),
        *("plan", "pretrain", "doctor run", "report"),
    ]
    assert (users_folder / "runs" / "sst2" / "model.safetensors").is_file()
