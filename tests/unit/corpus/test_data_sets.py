"""Data sets of the Hugging Face hub, against a server on this machine that speaks its protocol."""

import io
import json
import re
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.errors import CorpusError
from web_server import serve

CONVERTED = "refs/convert/parquet"


def parquet(*texts, column="text"):
    out = io.BytesIO()
    pq.write_table(pa.table({"id": list(range(len(texts))), column: list(texts)}), out)
    return out.getvalue()


def jsonl(*texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


class Hub:
    """Revisions of repositories, as the hub's four endpoints for reading show them."""

    def __init__(self, site):
        self.site, self.files, self.renamed = site, {}, {}
        site.answer = self.answer
        self.site.statuses.clear()

    def add(self, repository, path, data, revision="main"):
        self.files[repository, revision, path] = data

    def answer(self, address):
        path = unquote(urlsplit(address).path)
        if match := re.fullmatch(r"/api/datasets/(\w+)", path):
            return self._without_owner(match[1])
        if match := re.fullmatch(r"/api/datasets/(\w+/\w+)(?:/revision/(.+))?", path):
            return self._repository(*match.groups())
        if match := re.fullmatch(rf"/api/datasets/(\w+/\w+)/tree/({CONVERTED}|main)/?(.*)", path):
            return self._tree(*match.groups(), "recursive=true" in address.lower())
        if match := re.fullmatch(rf"/datasets/(\w+/\w+)/resolve/({CONVERTED}|main)/(.+)", path):
            return self.files.get(match.groups(), (404, {"X-Error-Code": "EntryNotFound"}))
        return None

    def _without_owner(self, name):
        if name in self.renamed:
            return 307, {"Location": f"/api/datasets/{self.renamed[name]}"}
        return self._repository(name, None)

    def _repository(self, name, revision):
        known = {key[1] for key in self.files if key[0] == name}
        if (revision or "main") not in known:
            return 404, {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"}
        return json.dumps({"id": name, "sha": "0" * 40, "private": False, "siblings": []}).encode()

    def _tree(self, name, revision, folder, recursive):
        prefix = f"{folder}/" if folder else ""
        entries = {}
        for (repository, of, path), data in self.files.items():
            if (repository, of) == (name, revision) and path.startswith(prefix):
                below = path.removeprefix(prefix).split("/")
                for depth in range(1, len(below)) if recursive else range(1, min(2, len(below))):
                    entries[prefix + "/".join(below[:depth])] = None
                if recursive or len(below) == 1:
                    entries[path] = data
        if not entries:
            return 404, {"X-Error-Code": "EntryNotFound"}
        return json.dumps([_entry(path, data) for path, data in sorted(entries.items())]).encode()


def _entry(path, data):
    if data is None:
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    return {"type": "file", "path": path, "oid": "0" * 40, "size": len(data)}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve(tmp_path) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        hub = Hub(site)
        add = hub.add
        add("me/one", "README.md", b"# One")
        add("me/one", "default/train/0000.parquet", parquet("One.", "Two."), CONVERTED)
        add("me/one", "default/train/0001.parquet", parquet("Three."), CONVERTED)
        add("me/one", "default/test/0000.parquet", parquet("Test."), CONVERTED)
        add("me/many", "README.md", b"# Many")
        add("me/many", "en/train/0000.parquet", parquet("Rain.", column="body"), CONVERTED)
        add("me/many", "de/train/0000.parquet", parquet("Regen.", column="body"), CONVERTED)
        add("me/many", "de/dev/0000.parquet", parquet("Schnee.", column="body"), CONVERTED)
        yield hub


def texts(url, **settings):
    return [raw.text for raw in open_corpus(url, CorpusSettings(**settings))]


def test_the_hubs_parquet_files_are_read(hub):
    corpus = open_corpus("hf://me/one")
    assert [raw.text for raw in corpus] == ["One.", "Two.", "Three."]
    assert corpus.num_bytes == len(parquet("One.", "Two.")) + len(parquet("Three."))
    assert str(corpus.files[0]).endswith("default/train/0000.parquet")
    assert texts("hf://me/one:default@test") == ["Test."]
    assert texts("hf://me/one@test") == ["Test."]


def test_a_data_set_without_an_owner_is_the_one_that_the_hub_tells(hub):
    hub.renamed = {"one": "me/one", "many": "me/many"}
    corpus = open_corpus("hf://one")
    assert [raw.text for raw in corpus] == ["One.", "Two.", "Three."]
    first = f"hf://datasets/me/one@{CONVERTED}/default/train/0000.parquet"
    assert str(corpus.files[0]) == first
    assert texts("hf://many:de@dev#body") == ["Schnee."]
    with pytest.raises(CorpusError, match=r"hf://many: has several configurations: de, en; name"):
        open_corpus("hf://many")


def test_the_same_data_set_by_its_two_names_is_given_twice(hub):
    hub.renamed = {"one": "me/one"}
    with pytest.raises(CorpusError, match=r"0000\.parquet: is given twice"):
        open_corpus(["hf://one", "hf://me/one"])


def test_a_hub_that_does_not_know_the_owner(hub):
    hub.add("lonely", "README.md", b"# Lonely")
    with pytest.raises(CorpusError) as caught:
        open_corpus("hf://lonely")
    told = "hf://lonely: names no owner, and the hub doesn't tell it; write hf://owner/name"
    assert str(caught.value) == told


def test_a_column_is_for_its_data_set_alone(hub, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Snow."}')
    found = texts([str(tmp_path / "a.jsonl"), "hf://me/many:en#body"])
    assert found == ["Snow.", "Rain."]
    assert texts("hf://me/many:de@dev", text_column="body") == ["Schnee."]
    with pytest.raises(
        CorpusError, match=r"0000\.parquet: has no column 'text', only 'id', 'body'"
    ):
        texts("hf://me/many:en")


def test_its_own_files_are_read_where_the_hub_has_no_others(hub):
    hub.add("me/own", "README.md", b"---\nlicense: mit\n---\n# Own")
    hub.add("me/own", "data/train-00000.jsonl", jsonl("One."))
    hub.add("me/own", "data/train-00001.jsonl", jsonl("Two."))
    hub.add("me/own", "data/validation.jsonl", jsonl("Three."))
    hub.add("me/own", "requirements.txt", b"numpy")
    assert texts("hf://me/own") == ["One.", "Two."]
    assert texts("hf://me/own@validation") == ["Three."]


def test_single_files_have_addresses(hub):
    hub.add("me/own", "data/train.jsonl", jsonl("One."))
    hub.add("me/own", "data/b.jsonl", jsonl("Two."))
    assert texts("hf://datasets/me/own/data/train.jsonl") == ["One."]
    assert texts("hf://datasets/me/own/data") == ["Two.", "One."]


def test_the_readme_says_which_files_are_which(hub):
    card = """---
configs:
- config_name: rain
  data_files:
  - split: train
    path: ["x/a*.jsonl", y/b.jsonl]
  - {split: held_out, path: y/c.jsonl}
- config_name: snow
  data_dir: z
---
"""
    hub.add("me/card", "README.md", card.encode())
    for name in ("x/a1", "x/a2", "y/b", "y/c", "z/d"):
        hub.add("me/card", f"{name}.jsonl", jsonl(f"{name}."))
    assert texts("hf://me/card:rain") == ["x/a1.", "x/a2.", "y/b."]
    assert texts("hf://me/card:rain@held_out") == ["y/c."]
    assert texts("hf://me/card:snow") == ["z/d."]


def test_a_partial_conversion_is_used_only_if_nothing_else_is_there(hub):
    for name in ("me/part", "me/both"):
        hub.add(name, "script.py", b"")
        hub.add(name, "default/partial-train/0000.parquet", parquet("Part."), CONVERTED)
    hub.add("me/both", "train.jsonl", jsonl("Whole."))
    assert texts("hf://me/both") == ["Whole."]
    corpus = open_corpus("hf://me/part")
    assert [raw.text for raw in corpus] == ["Part."]
    assert corpus.counts == {"partial_splits": 1}


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (
            "hf://me/none",
            "hf://me/none: there is no such data set, or it may not be read; give own",
        ),
        ("hf://me/many", "has several configurations: de, en; name one of them after ':'"),
        ("hf://me/many:fr", "has no configuration 'fr', only de, en; name one of them after ':'"),
        ("hf://me/one@dev", "has no split 'dev', only test, train; name one of them after '@'"),
        ("hf://me/empty", "has no files of Parquet, JSON lines or text"),
        ("hf://", "is no name of a data set; write hf://owner/name[:config][@split]"),
        ("hf://me/one/data", "hf://me/one/data: is no name of a data set; write hf://owner/name"),
        ("hf://squad", "hf://squad: there is no such data set, or it may not be read; give own"),
        ("hf://:en", "hf://:en: is no name of a data set; write hf://owner/name"),
        ("hf://me/one@", "is no name of a data set"),
        ("hf:// bad name", "is 96: ' bad name'); write hf://owner/name[:config][@split]"),
        ("hf://me/bad name:en", "is 96: 'me/bad name'); write hf://owner/name[:config][@split]"),
        ("hf://me/one--two", "-- or .. in repo_id: 'me/one--two'); write hf://owner/name"),
        ("hf://datasets/me/bad name/a.txt", "; check the address"),
    ],
)
def test_what_is_not_there_is_told(hub, url, what):
    hub.add("me/empty", "README.md", b"# Empty")
    with pytest.raises(CorpusError) as caught:
        open_corpus(url)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CorpusError, match=r"hf://me/one: cannot be read \(.*\); check the network"):
        open_corpus("hf://me/one")


def test_gated_data_sets_say_how_to_log_in(hub):
    hub.site.statuses["/api/datasets/me/gated"] = 401
    with pytest.raises(CorpusError, match="log in with `hf auth login` if it is private or gated"):
        open_corpus("hf://me/gated")
