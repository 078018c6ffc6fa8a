"""Where the commands may write: told before the work, and nothing that is needed is replaced."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from bertsmith.cli.output import check_output
from bertsmith.errors import RecipeError
from bertsmith.tasks import get_task
from bertsmith.tasks.finetuning import data_files
from bertsmith.wordpiece import Tokenizer, Vocabulary
from task_data import write_task_data


def refused(path, *parts, inputs=(), overwrite=True, option="-o"):
    with pytest.raises(RecipeError) as caught:
        check_output(path, inputs=inputs, overwrite=overwrite, option=option)
    assert "\n" not in str(caught.value)
    for part in (str(path), option, *parts):
        assert part in str(caught.value)


def complains(result, *parts):
    code, out, err = result
    assert code == 2, (out, err)
    assert len(err.splitlines()) == 1, err
    for part in parts:
        assert part in err, err


def test_a_new_file_and_one_to_be_replaced(tmp_path):
    new, old, text = tmp_path / "a" / "b" / "v.txt", tmp_path / "old.txt", tmp_path / "text.txt"
    old.write_text("old")
    text.write_text("text")
    inputs = [text, tmp_path, "missing.txt", "s3://bucket/*.txt", "hf://owner/name", "-"]
    check_output(new, inputs=inputs, overwrite=False)
    check_output(old, inputs=inputs, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.txt", "text.txt"]
    assert old.read_text() == "old"
    refused(old, "is there already", "--overwrite", inputs=inputs, overwrite=False)


def test_a_relative_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("en.txt").write_text("text")
    check_output(Path("v.txt"), inputs=["en.txt"], overwrite=False)
    refused(Path("en.txt"), "is read", inputs=["./en.txt"])
    refused(Path("-"), "give a file name")


def test_an_input_is_never_replaced(tmp_path):
    text, link, hard = (tmp_path / name for name in ("en.jsonl", "link.jsonl", "hard.jsonl"))
    text.write_text("{}")
    link.symlink_to(text)
    hard.hardlink_to(text)
    for overwrite in (True, False):
        for output, source in ((text, text), (link, text), (text, link), (hard, text)):
            refused(output, "is read by this", inputs=["no.txt", source], overwrite=overwrite)
        refused(text, "is read by this", inputs=[f"{tmp_path}/**/e*.jsonl"], overwrite=overwrite)


def test_standard_input_is_an_input(tmp_path):
    text = tmp_path / "en.txt"
    text.write_text("text")
    saved = os.dup(0)
    try:
        with text.open() as file:
            os.dup2(file.fileno(), 0)
        refused(text, "is read by this", inputs=["-"])
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_what_is_no_regular_file(tmp_path):
    fifo, link = tmp_path / "fifo", tmp_path / "null"
    os.mkfifo(fifo)
    link.symlink_to("/dev/null")
    for path in (fifo, link, Path("/dev/null")):
        refused(path, "device or a pipe")
    refused(tmp_path, "is a folder", option="--html")


def test_a_link_to_nothing_is_there_already(tmp_path):
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "missing.txt")
    refused(link, "is there already", overwrite=False)
    check_output(link, inputs=[], overwrite=True)


def test_a_folder_that_takes_no_file(tmp_path):
    file, loop = tmp_path / "file", tmp_path / "loop"
    file.write_text("")
    loop.symlink_to(loop)
    refused(file / "v.txt", f"{file} is no folder")
    refused(file / "more" / "v.txt", f"{file} is no folder")
    refused(loop / "v.txt", f"{loop} is no folder")
    refused(tmp_path / ("v" * 250), f"cannot be written in {tmp_path} (")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission(tmp_path):
    folder = tmp_path / "ro"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    refused(folder / "v.txt", f"cannot be written in {folder} (Permission denied)")
    refused(folder / "new" / "v.txt", f"cannot be written in {folder} (Permission denied)")


def test_a_store_keeps_its_files(bertsmith, tmp_path, store, corpus):
    link = tmp_path / "link"
    link.symlink_to(store)
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    for output in (store / "vocab.txt", store / "new.txt", link / "deep" / "vocab.txt"):
        for command in (["examples", store], ["vocab", corpus]):
            result = bertsmith(*command, "-o", output, "--overwrite")
            complains(result, str(output), f"is in the token store {store.resolve()}")
    complains(bertsmith("doctor", "store", store, "--html", store / "page.html"), "token store")
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_other_folders_may_have_a_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    check_output(tmp_path / "v.txt", inputs=[], overwrite=False)


def test_vocabularies_replace_no_file_unasked(bertsmith, tmp_path, corpus, vocab):
    text, path = tmp_path / "en.txt", tmp_path / "v.txt"
    text.write_bytes(corpus.read_bytes())
    path.write_text("mine")
    learn = ("vocab", text, "--size", "160", "-o")
    extend = ("vocab", "extend", text, "--vocab", vocab, "--add", "1", "-o")
    for command in (learn, extend):
        complains(bertsmith(*command, path), "v.txt: is there already", "--overwrite")
        complains(bertsmith(*command, text, "--overwrite"), "en.txt: is read by this command")
        complains(bertsmith(*command, "/dev/full", "--overwrite"), "device")
        complains(bertsmith(*command, path / "v.txt"), f"{path} is no folder")
        complains(bertsmith(*command, "-"), "give a file name")
        assert path.read_text() == "mine"
        assert bertsmith(*command, path, "--overwrite")[0] == 0
        assert "[MASK]" in Vocabulary.load(path).tokens
        path.write_text("mine")
    complains(bertsmith(*extend, vocab, "--overwrite"), "is read by this command")
    assert text.read_bytes() == corpus.read_bytes()
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_model_keeps_its_vocabulary(bertsmith, model, corpus):
    output = model / "vocab.txt"
    before = output.read_bytes()
    result = bertsmith("vocab", "extend", corpus, "--vocab", model, "-o", output, "--overwrite")
    complains(result, "is read by this command")
    assert output.read_bytes() == before


def test_pages_of_the_doctor(bertsmith, tmp_path, corpus, vocab, store):
    text, page, other = (tmp_path / name for name in ("en.txt", "page.HTML", "page.txt"))
    text.write_bytes(corpus.read_bytes())
    page.write_text("mine")
    for command in (["corpus", text, "--vocab", vocab], ["vocab", vocab, "--corpus", text]):
        for source in (text, vocab):
            result = bertsmith("doctor", *command, "--html", source, "--overwrite")
            complains(result, f"{source}: is read by this command", "--html")
    for command in (["corpus", text], ["vocab", vocab, "--corpus", text], ["store", store]):
        other.write_text("mine")
        complains(bertsmith("doctor", *command, "--html", other), "is there already", "--overwrite")
        complains(bertsmith("doctor", *command, "--html", "/dev/full"), "device")
        complains(bertsmith("doctor", *command, "--html", other / "a.html"), "is no folder")
        assert other.read_text() == "mine"
        assert bertsmith("doctor", *command, "--html", other, "--overwrite")[0] == 0
        assert bertsmith("doctor", *command, "--html", page)[0] == 0
        assert other.read_text().lower().startswith("<!doctype html>")
        assert page.read_text().lower().startswith("<!doctype html>")
        page.write_text("mine")
    assert text.read_bytes() == corpus.read_bytes()


def test_predictions_replace_no_file_unasked(bertsmith, tmp_path, model):
    texts, output = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    texts.write_text("the [MASK] .\n")
    model = shutil.copytree(model, tmp_path / "model")
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    for what in ("fill-mask", "embed"):
        output.write_text("mine")
        command = ("predict", what, "--model", model, "--input", texts, "-o")
        complains(bertsmith(*command, output), "out.jsonl: is there already", "--overwrite")
        complains(bertsmith(*command, texts, "--overwrite"), "texts.txt: is read by this command")
        for own in before:
            complains(bertsmith(*command, own, "--overwrite"), "is read by this command")
        assert output.read_text() == "mine"
        assert bertsmith(*command, output, "--overwrite")[0] == 0
        assert "the [MASK] ." in output.read_text() or what == "embed"
        assert output.read_text() != "mine"
    assert texts.read_text() == "the [MASK] .\n"
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(tmp_path.iterdir()) == [model, output, texts]


def test_predictions_beside_the_model_may_be_replaced(bertsmith, tmp_path, model, monkeypatch):
    folder = tmp_path / "a [b]"
    shutil.copytree(model, folder)
    monkeypatch.chdir(folder)
    command = ("predict", "fill-mask", "--model", ".", "the [MASK] .", "-o")
    assert bertsmith(*command, "out.jsonl")[0] == 0
    assert bertsmith(*command, "out.jsonl", "--overwrite")[0] == 0
    complains(bertsmith(*command, "config.json", "--overwrite"), "is read by this command")
    command = ("predict", "fill-mask", "--model", folder, "the [MASK] .", "-o")
    complains(bertsmith(*command, "vocab.txt", "--overwrite"), "is read by this command")


def test_predictions_of_a_scoring_replace_no_file_unasked(bertsmith, tmp_path, model):
    """With the data's own files, and the file of the second dev set, which nobody names."""
    data, output = tmp_path / "data", tmp_path / "out.jsonl"
    write_task_data(get_task("mnli"), data)
    classifier = tmp_path / "run"
    kind = get_task("mnli").model_class
    kind.from_pretrained(model, labels=get_task("mnli").labels([])).save_pretrained(classifier)
    Tokenizer.from_pretrained(model).save_pretrained(classifier)
    command = ("evaluate", "mnli", "--model", classifier, "--data", data, "--predictions")
    second = tmp_path / "out-dev_mismatched.jsonl"
    for there in (output, second):
        there.write_text("mine")
        complains(bertsmith(*command, output), f"{there.name}: is there already", "--overwrite")
        assert there.read_text() == "mine"
        assert bertsmith(*command, output, "--overwrite")[0] == 0
        assert len(there.read_text().splitlines()) == 6
        output.unlink()
    for read in (data / "dev_matched.tsv", classifier / "config.json"):
        before = read.read_bytes()
        complains(bertsmith(*command, read, "--overwrite"), f"{read}: is read by this command")
        assert read.read_bytes() == before
    # Beside the data, and with the ending of data: no file that is read.
    beside = data / "predicted.tsv"
    for more in ((), ("--overwrite",)):
        code, _, err = bertsmith(*command, beside, *more)
        assert code == 0, err


def test_the_data_are_found_that_a_held_out_tenth_is_of(tmp_path):
    task, train = get_task("classify"), tmp_path / "train.tsv"
    train.write_text("text\tlabel\n")
    assert data_files(task, tmp_path, "dev") == data_files(task, tmp_path, "train") == [train]
    assert data_files(task, train, "dev") == data_files(task, train, "all") == [train]
    assert data_files(task, tmp_path, "test") == data_files(task, tmp_path, "all") == []
    assert data_files(task, tmp_path / "nowhere", "dev") == []
