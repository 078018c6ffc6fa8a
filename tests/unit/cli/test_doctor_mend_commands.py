"""`bertsmith doctor mend`: what it writes, what it says, and mistakes in one line."""

import io
import json
from typing import get_args

import pytest

from bertsmith.doctor.mending import Fault
from docs_pages import commands, option_names
from doctor_corpora import write_jsonl


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """Three pages of HTML, one of them without text; the folder is where commands run."""
    monkeypatch.chdir(tmp_path)
    return write_jsonl(tmp_path, ["<p>It <b>rains</b>.</p>", "<p> </p>", "It snows."])


def texts(path):
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


def test_it_says_what_was_written_and_what_is_next(bertsmith, pages, tmp_path):
    command = ("doctor", "mend", pages.name, "--fault", "markup", "--language", "de")
    code, out, told = bertsmith(*command, "-o", "it's plain.jsonl")
    assert (code, told) == (0, "")
    assert out.splitlines() == [
        "it's plain.jsonl: 2 documents",
        "  documents read  3",
        """  next            bertsmith doctor corpus 'it'"'"'s plain.jsonl' --language de""",
    ]
    assert texts(tmp_path / "it's plain.jsonl") == ["It rains.", "It snows."]


def test_as_json(bertsmith, pages):
    pages.write_bytes(pages.read_bytes() + b"{broken\n")
    command = ("doctor", "mend", pages, "--fault", "markup", "-o", "a/plain.jsonl", "--json")
    code, out, told = bertsmith(*command)
    assert (code, out) == (2, "")
    assert f"{pages}:4: is not JSON" in told
    code, out, _ = bertsmith(*command, "--errors", "replace")
    assert code == 0
    assert json.loads(out) == {
        "path": "a/plain.jsonl",
        "fault": "markup",
        "num_read": 3,
        "num_documents": 2,
        "counts": {"broken_records": 1},
    }
    _, out, _ = bertsmith(*command[:-1], "--errors", "replace", "--overwrite")
    assert "  broken records  1\n" in out
    # The new file isn't broken.
    assert out.endswith("bertsmith doctor corpus a/plain.jsonl\n")


def test_options_of_reading_are_heeded(bertsmith, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("It\nrains.\n\nIt\nsnows.\n")
    command = ("doctor", "mend", "a.txt", "--fault", "one_document", "-o", "parts.jsonl")
    assert bertsmith(*command, "--text-form", "document")[0] == 0
    assert texts(tmp_path / "parts.jsonl") == ["It rains.\nIt snows."]
    (tmp_path / "b.jsonl").write_text('{"body": "CafÃ©.", "name": "b"}\n')
    command = ("doctor", "mend", "b.jsonl", "--fault", "mojibake", "-o", "sound.jsonl")
    assert bertsmith(*command, "--text-column", "body", "--title-column", "name")[0] == 0
    assert json.loads((tmp_path / "sound.jsonl").read_text()) == {"title": "b", "text": "Café."}


def test_standard_input(bertsmith, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = io.TextIOWrapper(io.BytesIO(b'{"text": "It\\nrains."}\n'))
    monkeypatch.setattr("sys.stdin", text)
    command = ("doctor", "mend", "-", "--standard-input-format", "jsonl")
    code, out, _ = bertsmith(*command, "--fault", "wrapped_lines", "-o", "joined.jsonl")
    assert code == 0
    assert out.endswith("bertsmith doctor corpus joined.jsonl\n")
    assert texts(tmp_path / "joined.jsonl") == ["It rains."]


def test_every_fault_can_be_given(bertsmith, pages, tmp_path):
    for fault in get_args(Fault):
        assert bertsmith("doctor", "mend", pages, "--fault", fault, "-o", f"{fault}.jsonl")[0] == 0
    told = bertsmith("doctor", "mend", pages, "--fault", "typos", "-o", "out.jsonl")[2]
    assert f"is not one of {', '.join(map(repr, get_args(Fault)))}; see" in told


def test_no_option_of_cleaning(bertsmith, pages):
    """What is cleaned is what reads the new text."""
    names = option_names(commands()["doctor mend"])
    assert "--text-column" in names
    assert not {"--clean", "--duplicates", "--min-document-chars"} & names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: cannot be opened (No such file or directory)"),
        (["{pages}", "--fault", "typos"], "'typos' is not one of 'mojibake', 'markup', "),
        (["{pages}", "-o", "out.txt"], "-o out.txt: would not be read as JSON lines; give a name"),
        (["{pages}", "-o", "-"], "-: is no file; give a file name with -o"),
        (["{pages}", "-o", "{pages}", "--overwrite"], ": is read by this command; name another"),
        (["{folder}", "-o", "{pages}", "--overwrite"], ": is read by this command; name another"),
        (["{pages}", "-o", "there.json.jsonl"], "there.json.jsonl: is there already; give --over"),
        (["{pages}", "--text-column", "body"], "body"),
        (["{pages}", "--language", "english"], "did you mean en"),
        (["empty.jsonl"], "empty.jsonl: no text is left without markup; look at what is read"),
    ],
)
def test_mistakes_are_told_in_one_line(bertsmith, pages, tmp_path, arguments, message):
    (tmp_path / "there.json.jsonl").write_text("mine")
    (tmp_path / "empty.jsonl").write_text('{"text": "<p> </p>"}\n')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    own = [a.format(pages=pages, folder=tmp_path) for a in arguments]
    code, out, told = bertsmith("doctor", "mend", "--fault", "markup", "-o", "out.jsonl", *own)
    assert (code, out) == (2, "")
    assert message in told
    assert told.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_is_replaced_where_that_is_asked_for(bertsmith, pages, tmp_path):
    output = tmp_path / "plain.jsonl"
    output.write_text("mine")
    command = ("doctor", "mend", pages, "--fault", "markup", "-o", output)
    assert bertsmith(*command)[0] == 2
    assert output.read_text() == "mine"
    assert bertsmith(*command, "--overwrite")[0] == 0
    assert texts(output) == ["It rains.", "It snows."]
