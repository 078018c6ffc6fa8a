"""Splits, notes and label checks, through whole tasks."""

import json

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks import get_task


def write(folder, **texts):
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def rows(n, header="text\tlabel"):
    return header + "\n" + "".join(f"text {i}\t{i % 2}\n" for i in range(n))


def test_a_folder_without_dev_holds_a_tenth_out(tmp_path):
    write(tmp_path, train__tsv=rows(50), test__tsv="text\nx\n")
    task = get_task("classify")
    train, dev = task.read(tmp_path, "train"), task.read(tmp_path, "dev")
    assert (len(train.examples), len(dev.examples)) == (45, 5)
    assert not {e.where for e in train.examples} & {e.where for e in dev.examples}
    assert train.notes == ("no dev file: 5 of 50 examples are held out as dev",)
    write(tmp_path, dev__tsv=rows(3))
    train, dev = task.read(tmp_path, "train"), task.read(tmp_path, "dev")
    assert (len(train.examples), len(dev.examples), train.notes) == (50, 3, ())


def test_a_single_file_is_train_and_dev_or_all(tmp_path):
    path = write(tmp_path, mine__tsv=rows(50)) / "mine.tsv"
    task = get_task("classify")
    sizes = [len(task.read(path, split).examples) for split in ("train", "dev", "all", "test")]
    assert sizes == [45, 5, 50, 50]
    assert task.dev_splits_in(path) == ("dev",)
    with pytest.raises(DataError, match="is one file and has no dev_mismatched set"):
        get_task("mnli").read(path, "dev_mismatched")


def test_several_train_files_are_read_in_order(tmp_path):
    write(tmp_path, **{"train-1__tsv": rows(2), "train-0__tsv": rows(3), "dev__tsv": rows(1)})
    train = get_task("classify").read(tmp_path, "train")
    assert [path.name for path in train.files] == ["train-0.tsv", "train-1.tsv"]
    assert len(train.examples) == 5


def test_questions_on_one_context_are_held_out_together(tmp_path):
    lines = [
        json.dumps({"question": f"q{i}", "context": f"text {i // 3}", "answers": ["text"]})
        for i in range(60)
    ]
    path = write(tmp_path, mine__jsonl="\n".join(lines)) / "mine.jsonl"
    task = get_task("answer")
    contexts = [{e.context for e in task.read(path, s).examples} for s in ("train", "dev")]
    assert [len(part) for part in contexts] == [18, 2]
    assert not contexts[0] & contexts[1]


def test_both_dev_sets_of_mnli_are_named(tmp_path):
    text = "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\ta\tb\tneutral\tentailment\n"
    write(tmp_path, train__tsv=text, dev_matched__tsv=text)
    task = get_task("mnli")
    assert task.dev_splits_in(tmp_path) == ("dev_matched",)
    write(tmp_path, dev_mismatched__tsv=text * 1)
    assert task.dev_splits_in(tmp_path) == ("dev_matched", "dev_mismatched")
    assert task.read(tmp_path, "dev_mismatched").examples[0].label == "entailment"
    assert task.read(tmp_path, "dev").files[0].name == "dev_matched.tsv"


def test_glue_columns(tmp_path):
    write(tmp_path, train__tsv="gj04\t1\t\tA cat.\nclc95\t0\t*\tCat a.\n", dev__tsv="x\t1\t\tA.\n")
    write(tmp_path, test__tsv="index\tsentence\n0\tA dog.\n")
    cola = get_task("cola")
    found = [(e.first, e.second, e.label) for e in cola.read(tmp_path, "train").examples]
    assert found == [("A cat.", None, "1"), ("Cat a.", None, "0")]
    assert [(e.first, e.label) for e in cola.read(tmp_path, "test").examples] == [("A dog.", None)]
    mrpc = '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tA "b" .\tB .\n'
    write(tmp_path, train__tsv=mrpc, dev__tsv=mrpc)
    (example,) = get_task("mrpc").read(tmp_path, "train").examples
    assert (example.first, example.second, example.label) == ('A "b" .', "B .", "1")


def test_broken_rows_of_qqp_are_left_out_and_counted(tmp_path):
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    text = header + "0\t1\t2\ta?\tb?\t0\n1\t2\n2\t3\t4\tc?\td?\t1\n"
    write(tmp_path, train__tsv=text, dev__tsv=text)
    train = get_task("qqp").read(tmp_path, "train")
    assert [e.label for e in train.examples] == ["0", "1"]
    assert train.notes == (
        f"{tmp_path / 'train.tsv'}: 1 row with a wrong number of columns left out",
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sst2", "sentence\tlabel\na\t1\nb\t2\n", r"train\.tsv:3: label '2' is not one of 0, 1"),
        ("sst2", "sentence\tlabel\na\t\n", r"train\.tsv:2: its label is empty"),
        ("sst2", "sentence\ta\nb\t1\n", r"train\.tsv:2: no column 'label'; there are: 'sentence'"),
        ("rte", "sentence1\tlabel\na\tentailment\n", "no column 'sentence2'"),
        ("stsb", "sentence1\tsentence2\tscore\na\tb\tx\n", r"train\.tsv:2: score 'x' is not a num"),
        ("stsb", "sentence1\tsentence2\tscore\na\tb\tnan\n", "score 'nan' is not a number"),
        ("regress", "text\tscore\na\tinf\n", "score 'inf' is not a number"),
        ("classify", "", r"train\.tsv: is empty"),
    ],
)
def test_bad_rows_are_one_line_with_file_and_line(tmp_path, name, text, message):
    write(tmp_path, train__tsv=text, dev__tsv=text)
    with pytest.raises(DataError, match=message) as error:
        get_task(name).read(tmp_path, "train")
    assert "\n" not in str(error.value)


def test_classes_come_from_the_training_data(tmp_path):
    task = get_task("classify")
    text = "text\tlabel\n" + "".join(f"a\t{label}\n" for label in ("10", "9", "10", "2"))
    write(tmp_path, train__tsv=text, dev__tsv=text)
    assert task.labels(task.read(tmp_path, "train").examples) == ("2", "9", "10")
    write(tmp_path, train__tsv=text.replace("9", "x"))
    assert task.labels(task.read(tmp_path, "train").examples) == ("10", "2", "x")
    write(tmp_path, train__tsv="text\tlabel\na\tyes\nb\tyes\n")
    with pytest.raises(DataError, match=r"1 class in the training data \(yes\)"):
        task.labels(task.read(tmp_path, "train").examples)


def test_tags_are_completed_by_scheme():
    task = get_task("tag")
    from bertsmith.tasks.data.tagged import TaggedSentence

    def labels(*tags):
        return task.labels([TaggedSentence(["w"] * len(tags), list(tags), "a:1")])

    assert labels("O", "B-X", "I-Y") == ("O", "B-X", "I-X", "B-Y", "I-Y")
    assert labels("S-X", "O") == ("O", "B-X", "I-X", "E-X", "S-X")
    assert labels("B-X", "M-X", "E-X") == ("O", "B-X", "M-X", "E-X", "S-X")
    assert labels("NN", "O", "DT") == ("O", "DT", "NN")
    with pytest.raises(DataError, match="1 tags in the training data"):
        labels("O", "O")


def test_squad_leaves_unanswerable_questions_out_and_says_so(tmp_path):
    item = {"question": "?", "answers": [{"text": "b", "answer_start": 2}]}
    null = {"question": "?", "answers": [], "is_impossible": True}
    data = {"data": [{"paragraphs": [{"context": "a b", "qas": [item, null, null]}]}]}
    write(tmp_path, train__json=json.dumps(data), dev__json=json.dumps(data))
    train = get_task("squad").read(tmp_path, "train")
    assert len(train.examples) == 1
    assert "2 questions without an answer left out" in train.notes[0]
    train = get_task("squad2").read(tmp_path, "train")
    assert (len(train.examples), train.notes) == (3, ())


def test_answers_that_are_not_where_they_should_be_are_counted(tmp_path):
    good = {"question": "?", "answers": [{"text": "b", "answer_start": 2}]}
    lost = {"question": "?", "answers": [{"text": "b", "answer_start": 0}]}
    data = {"data": [{"paragraphs": [{"context": "a b", "qas": [good, lost]}]}]}
    path = write(tmp_path, train__json=json.dumps(data)) / "train.json"
    read = get_task("squad").read(path, "all")
    assert len(read.examples) == 2
    assert "1 of 2 questions have no answer that stands in the context" in read.notes[0]
    path.write_text(json.dumps(data).replace('"answer_start": 2', '"answer_start": 1'))
    with pytest.raises(DataError, match=r"train\.json: no answer stands in its context"):
        get_task("squad").read(path, "all")
