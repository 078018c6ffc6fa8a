import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.data.splits import files_of_split, find_files, hold_out

ANY = (".tsv", ".csv", ".jsonl", ".json", ".train", ".testa", ".testb", ".bmes")


def make(folder, *names):
    for name in names:
        (folder / name).write_text("x")


def found(folder, split, **options):
    return [path.name for path in files_of_split(folder, split, ANY, **options)]


@pytest.mark.parametrize(
    ("names", "split", "expected"),
    [
        (["train.tsv", "dev.tsv", "test.tsv"], "dev", ["dev.tsv"]),
        (["train.tsv", "dev.tsv", "dev_ids.tsv"], "dev", ["dev.tsv"]),
        (["eng.train", "eng.testa", "eng.testb"], "dev", ["eng.testa"]),
        (["eng.train", "eng.testa", "eng.testb"], "test", ["eng.testb"]),
        (["train.char.bmes", "dev.char.bmes"], "train", ["train.char.bmes"]),
        (["train-v1.1.json", "dev-v1.1.json"], "train", ["train-v1.1.json"]),
        (["squad20-train-part.json", "other.json"], "train", ["squad20-train-part.json"]),
        (["train-01.jsonl", "train-00.jsonl"], "train", ["train-00.jsonl", "train-01.jsonl"]),
        (["train.csv", "val.csv"], "dev", ["val.csv"]),
        (["validation.jsonl"], "dev", ["validation.jsonl"]),
        (["dev_matched.tsv", "dev_mismatched.tsv"], "dev_mismatched", ["dev_mismatched.tsv"]),
        (["validation_matched.jsonl"], "dev_matched", ["validation_matched.jsonl"]),
        (["training.txt", ".train.tsv", "README"], "train", []),
        (["contest.tsv", "trainer.tsv"], "test", []),
    ],
)
def test_files_are_found_by_name(tmp_path, names, split, expected):
    make(tmp_path, *names)
    assert found(tmp_path, split) == expected


def test_sub_folders_are_not_searched(tmp_path):
    (tmp_path / "train.tsv").mkdir()
    assert found(tmp_path, "train") == []


def test_a_task_can_have_names_of_its_own(tmp_path):
    make(tmp_path, "full_data.tsv")
    assert found(tmp_path, "train", extra_stems=("full_data",)) == ["full_data.tsv"]


def test_two_forms_of_one_split_are_an_error(tmp_path):
    make(tmp_path, "train.tsv", "train.csv")
    with pytest.raises(DataError, match=r"several train files .*: train\.csv, train\.tsv"):
        found(tmp_path, "train")


def test_a_missing_file_says_what_was_looked_for(tmp_path):
    make(tmp_path, "a.tsv", "b.tsv")
    with pytest.raises(DataError) as error:
        find_files(tmp_path, "dev_matched", (".tsv", ".csv"))
    message = str(error.value)
    assert "dev_matched | devel_matched | valid_matched" in message
    assert ".tsv .csv" in message
    assert "there is: a.tsv, b.tsv" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["none", "file.tsv"])
def test_a_missing_folder_is_an_error(tmp_path, name):
    make(tmp_path, "file.tsv")
    with pytest.raises(DataError, match=r"does not exist|is not a folder"):
        find_files(tmp_path / name, "train", ANY)


@pytest.mark.parametrize(("n", "num_dev"), [(2, 1), (10, 1), (11, 2), (100, 10), (995, 100)])
def test_a_tenth_is_held_out(n, num_dev):
    train, dev = hold_out(list(range(n)))
    assert len(dev) == num_dev
    assert sorted([*train, *dev]) == list(range(n))
    assert train == sorted(train)
    assert dev == sorted(dev)
    assert hold_out(list(range(n))) == (train, dev)


def test_what_is_held_out_is_spread_over_the_file():
    _, dev = hold_out(list(range(1000)))
    thirds = [sum(low <= i < low + 250 for i in dev) for low in (0, 250, 500, 750)]
    assert min(thirds) > 10


def test_groups_stay_together():
    items = [(context, question) for context in range(30) for question in range(3)]
    train, dev = hold_out(items, key=lambda item: item[0])
    assert len(dev) == 9
    assert not {context for context, _ in train} & {context for context, _ in dev}


def test_too_few_to_hold_out_is_an_error():
    with pytest.raises(DataError, match="1 example is too few"):
        hold_out(["a"])
    with pytest.raises(DataError, match="2 examples are too few"):
        hold_out(["a", "b"], key=lambda _: "one text")
