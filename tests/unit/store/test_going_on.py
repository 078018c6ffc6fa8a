"""A run that stops goes on from its finished shards, and never leaves half a store."""

import os

import pytest

from bertsmith._files import locked
from bertsmith._parallel import Workers
from bertsmith.corpus import CleaningSettings, CorpusSettings, open_corpus
from bertsmith.errors import CorpusError, StoreError
from bertsmith.store import StoreSettings, TokenStore, append_to_store, making, write_store
from bertsmith.wordpiece import Tokenizer, Vocabulary
from store_content import content, expected_ids, stored_ids

SMALL = StoreSettings(shard_tokens=1000, chunk_chars=2000)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stores").mkdir()
    return tmp_path / "stores" / "store"


@pytest.fixture
def files(tmp_path, corpus_file):
    """The corpus in three files."""
    lines = corpus_file.read_text().splitlines(keepends=True)
    for number in range(3):
        part = "".join(lines[number * 50 : (number + 1) * 50])
        (tmp_path / f"{number}.jsonl").write_text(part)
    return [tmp_path / f"{number}.jsonl" for number in range(3)]


@pytest.fixture
def expected(tmp_path, files, tokenizer):
    write_store(open_corpus(files), tokenizer, tmp_path / "expected", settings=SMALL)
    return content(tmp_path / "expected")


def stop_after(monkeypatch, num_shards):
    """Ctrl-C comes while the shard after so many is being written."""
    write, written = making.write_shard, []

    def write_shard(folder, name, chunks):
        if len(written) == num_shards:
            raise KeyboardInterrupt
        written.append(name)
        return write(folder, name, chunks)

    monkeypatch.setattr(making, "write_shard", write_shard)
    return written


def shards_written(monkeypatch):
    return stop_after(monkeypatch, 10**9)


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("num_shards", [1, 4, 9])
def test_what_was_finished_is_not_done_again(
    folder, files, tokenizer, expected, monkeypatch, num_shards, num_workers
):
    stop_after(monkeypatch, num_shards)
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    assert [path.name for path in folder.parent.iterdir()] == [".store.partial"]
    monkeypatch.undo()
    written, told = shards_written(monkeypatch), []
    write_store(
        open_corpus(files),
        tokenizer,
        folder,
        settings=SMALL,
        workers=Workers(num_workers),
        notice=told.append,
    )
    assert content(folder) == expected
    assert written == sorted(name for name in expected if name.endswith("arrow"))[num_shards:]
    shards = "shard" if num_shards == 1 else "shards"
    assert told[0].startswith(f"going on after {num_shards} finished {shards} (")
    assert [path.name for path in folder.parent.iterdir()] == ["store"]


def test_a_run_that_was_stopped_after_its_last_shard_tokenizes_nothing(
    folder, files, tokenizer, expected, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bertsmith.store.writing._put_in_place", stop)
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    monkeypatch.undo()
    written = shards_written(monkeypatch)
    write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    assert (written, content(folder)) == ([], expected)


def test_a_bad_file_that_is_mended_costs_only_what_came_after(
    folder, files, tokenizer, expected, monkeypatch
):
    sound = files[2].read_bytes()
    files[2].write_bytes(sound + b"{broken\n")
    with pytest.raises(CorpusError, match=r"2\.jsonl:\d+: is not JSON"):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    files[2].write_bytes(sound)
    written = shards_written(monkeypatch)
    write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    assert content(folder) == expected
    num_shards = sum(name.endswith("arrow") for name in expected)
    assert 0 < len(written) < num_shards / 2


def test_errors_replace_goes_on_after_strict(folder, files, tokenizer, monkeypatch):
    with files[2].open("ab") as file:
        file.write(b"{broken\n")
    with pytest.raises(CorpusError, match="is not JSON"):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    written = shards_written(monkeypatch)
    lenient = open_corpus(files, CorpusSettings(errors="replace"))
    manifest = write_store(lenient, tokenizer, folder, settings=SMALL)
    assert manifest.counts == {"broken_records": 1}
    assert stored_ids(TokenStore(folder)) == expected_ids(lenient, tokenizer)
    assert len(written) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda files: files[0].write_bytes(files[0].read_bytes() + b"\n"), "other text"),
        (lambda files: os.utime(files[0]), "other text"),
        (lambda files: files.reverse(), "other text"),
        (lambda files: files.append("lowercase"), "lowercase=True, not False"),
        (lambda files: files.append("vocabulary"), "another vocabulary"),
        (lambda files: files.append("language"), "corpus.language=en, not de"),
    ],
)
def test_finished_shards_of_something_else_are_not_thrown_away(
    folder, files, tokenizer, monkeypatch, change, told
):
    stop_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    monkeypatch.undo()
    change(files)
    other = files.pop() if isinstance(files[-1], str) else ""
    vocabulary = Vocabulary([*tokenizer.vocabulary.tokens, "more"][: 23 - (other != "vocabulary")])
    changed = Tokenizer(vocabulary, lowercase=other != "lowercase")
    language = CorpusSettings(language="de" if other == "language" else "en")

    def write(**options):
        return write_store(open_corpus(files, language), changed, folder, settings=SMALL, **options)

    with pytest.raises(
        StoreError, match=f"holds 3 finished shards of a run with {told}; run"
    ) as why:
        write()
    assert why.value.fix == "run that command again to go on, or give --overwrite to begin anew"
    assert len(list((folder.parent / ".store.partial" / "content").iterdir())) == 3
    written = shards_written(monkeypatch)
    manifest = write(overwrite=True)
    assert len(written) == len(manifest.shards)
    assert stored_ids(TokenStore(folder)) == expected_ids(open_corpus(files, language), changed)


@pytest.mark.parametrize("damage", ["shard", "journal", "job"])
def test_what_was_damaged_meanwhile_is_made_again(
    folder, files, tokenizer, expected, monkeypatch, damage
):
    stop_after(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    monkeypatch.undo()
    work = folder.parent / ".store.partial"
    if damage == "shard":
        path = work / "content" / "shard-00002.arrow"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    else:
        path = work / f"{damage}.json{'l' * (damage == 'journal')}"
        path.write_bytes(path.read_bytes()[:-20])
    written = shards_written(monkeypatch)
    write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    assert content(folder) == expected
    assert written[0] == {"shard": "shard-00002.arrow", "journal": "shard-00003.arrow"}.get(
        damage, "shard-00000.arrow"
    )


def test_what_cannot_be_read_again_leaves_nothing(folder, files, tokenizer, monkeypatch):
    corpus = open_corpus(files)
    monkeypatch.setattr(corpus, "file_identities", lambda: None)
    stop_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        write_store(corpus, tokenizer, folder, settings=SMALL)
    assert list(folder.parent.iterdir()) == []


def test_a_store_that_was_being_replaced_is_there_again(
    folder, files, tokenizer, expected, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    write_store(open_corpus(files[0]), tokenizer, folder, settings=SMALL)
    old = content(folder)
    monkeypatch.setattr("bertsmith.store.writing._put_in_place", stop)
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL, overwrite=True)
    # So a run leaves it that is killed between moving the old store away and the new one in.
    folder.replace(folder.parent / ".store.partial" / "replaced")
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL, overwrite=True)
    assert content(folder) == old
    monkeypatch.undo()
    write_store(open_corpus(files), tokenizer, folder, settings=SMALL, overwrite=True)
    assert content(folder) == expected
    assert [path.name for path in folder.parent.iterdir()] == ["store"]


def test_what_was_put_there_meanwhile_stays(folder, files, tokenizer, monkeypatch):
    def write_shard(*arguments):
        folder.mkdir(exist_ok=True)
        (folder / "notes.txt").write_text("mine")
        return write(*arguments)

    write = making.write_shard
    monkeypatch.setattr(making, "write_shard", write_shard)
    with pytest.raises(StoreError, match="store: holds files that are no token store"):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    written = stop_after(monkeypatch, 0)
    write_store(open_corpus(files), tokenizer, folder, settings=SMALL)
    assert (written, (folder / "manifest.json").exists()) == ([], True)


def test_a_survey_is_not_made_again(folder, files, tokenizer, monkeypatch):
    with files[2].open("ab") as file:
        file.write(files[0].read_bytes())
    settings = CorpusSettings(cleaning=CleaningSettings(duplicates="exact"))
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        write_store(open_corpus(files, settings), tokenizer, folder, settings=SMALL)
    monkeypatch.undo()

    def survey(*_):
        raise RuntimeError("surveyed again")

    monkeypatch.setattr("bertsmith.corpus.corpus.survey", survey)
    manifest = write_store(open_corpus(files, settings), tokenizer, folder, settings=SMALL)
    assert (
        stored_ids(TokenStore(folder))
        == expected_ids(open_corpus(files[:2]), tokenizer)
        + (expected_ids(open_corpus(files[2]), tokenizer)[:50])
    )
    assert sum(manifest.counts.values()) == 50


def test_two_runs_cannot_make_the_same_store(folder, files, tokenizer):
    (folder.parent / ".store.partial").mkdir()
    with (
        locked(folder.parent / ".store.partial" / "lock"),
        pytest.raises(StoreError, match="store: another process is making this store; wait"),
    ):
        write_store(open_corpus(files), tokenizer, folder, settings=SMALL)


def test_appending_keeps_what_is_there(folder, files, tokenizer):
    write_store(open_corpus(files[:2]), tokenizer, folder, settings=SMALL)
    before = content(folder)
    manifest = append_to_store(open_corpus(files[2]), folder, settings=SMALL)
    store = TokenStore(folder)
    store.verify()
    assert stored_ids(store) == expected_ids(open_corpus(files), tokenizer)
    assert manifest == store.manifest
    assert [part.num_shards for part in manifest.parts] == [
        len(before) - 2,
        len(store.manifest.shards) - len(before) + 2,
    ]
    del before["manifest.json"]
    assert before.items() <= content(folder).items()


def test_appending_that_is_stopped_leaves_the_store_and_goes_on(
    folder, files, tokenizer, monkeypatch, tmp_path
):
    write_store(open_corpus(files[0]), tokenizer, folder, settings=SMALL)
    before = content(folder)
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        append_to_store(open_corpus(files[1:]), folder, settings=SMALL)
    assert content(folder) == before
    monkeypatch.undo()
    written = shards_written(monkeypatch)
    manifest = append_to_store(open_corpus(files[1:]), folder, settings=SMALL, workers=Workers(2))
    assert written[0] == f"shard-{len(before) - 2 + 2:05d}.arrow"
    assert stored_ids(TokenStore(folder)) == expected_ids(open_corpus(files), tokenizer)
    assert manifest.num_documents == 150


def test_other_text_does_not_take_the_place_of_an_appending_that_was_stopped(
    folder, files, tokenizer, monkeypatch
):
    """There is no --overwrite beside --append, so that the message must not name it."""
    write_store(open_corpus(files[0]), tokenizer, folder, settings=SMALL)
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        append_to_store(open_corpus(files[1:]), folder, settings=SMALL)
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"other text; run that .* or remove the folder to begin"):
        append_to_store(open_corpus(files[2]), folder, settings=SMALL)


def test_appending_fails_before_it_changes_anything(folder, files, tokenizer, tmp_path):
    with pytest.raises(StoreError, match="store: does not exist"):
        append_to_store(open_corpus(files[0]), folder)
    write_store(open_corpus(files[0]), tokenizer, folder, settings=SMALL)
    before = content(folder)
    (tmp_path / "a.txt").write_text("\u200b\n")
    with pytest.raises(StoreError, match="no token is left of the text"):
        append_to_store(open_corpus(tmp_path / "a.txt"), folder)
    assert content(folder) == before


def test_appending_that_was_killed_at_its_end_adds_nothing_twice(
    folder, files, tokenizer, monkeypatch
):
    write_store(open_corpus(files[0]), tokenizer, folder, settings=SMALL)
    monkeypatch.setattr("bertsmith.store.work_folder.shutil.rmtree", lambda *_, **__: None)
    append_to_store(open_corpus(files[1]), folder, settings=SMALL)
    assert (folder.parent / ".store.partial").exists()
    monkeypatch.undo()
    before, told = content(folder), []
    append_to_store(open_corpus(files[1]), folder, settings=SMALL, notice=told.append)
    assert (content(folder), told) == (before, ["an earlier run has added this text already"])
    assert [path.name for path in folder.parent.iterdir()] == ["store"]
    append_to_store(open_corpus(files[1]), folder, settings=SMALL, again=True)
    assert TokenStore(folder).num_documents == 150
