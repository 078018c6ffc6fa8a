import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.data.text import numbered_lines, parse_json, read_text


def test_reads_utf_8_with_and_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("é\r\n".encode())
    assert read_text(path) == "é\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + "é".encode())
    assert read_text(path) == "é"


def test_only_newlines_end_lines():
    text = "a\x0bb\x85c\u2028d\r\ne\rf\n\ng"
    assert list(numbered_lines(text)) == [
        (1, "a\x0bb\x85c\u2028d"),
        (2, "e\rf"),
        (3, ""),
        (4, "g"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"text\t1\nte\x00xt", "holds a NUL byte at offset 9"),
        (b"abc\xe9def", r"is not UTF-8 at byte 3 \(0xe9\)"),
        ("ab".encode("utf-16"), "is not UTF-8|NUL byte"),
    ],
)
def test_what_is_not_text_is_an_error(tmp_path, content, message):
    path = tmp_path / "bad.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.tsv: .*({message})"):
        read_text(path)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"none\.tsv: cannot be read \(No such file"):
        read_text(tmp_path / "none.tsv")
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path)


def test_broken_json_names_line_and_column():
    with pytest.raises(DataError, match=r"a\.json: is not JSON at line 2, column 3: Expecting"):
        parse_json('{"a":\n  ]}', "a.json")
    with pytest.raises(DataError, match="nested too deeply"):
        parse_json("[" * 200_000, "a.json")
