"""What is there has a page, found by itself; and pages are what the program is."""

import doctest

import pytest

from bertsmith.corpus.compression import COMPRESSIONS
from bertsmith.corpus.formats import format_names
from bertsmith.recipes import describe_settings
from bertsmith.training import PretrainRecipe
from docs_pages import DOCS, PAGES, blocks, commands, hooks, option_names, page_name, read


def nav_pages():
    nav = read(DOCS.parent / "mkdocs.yml").partition("\nnav:")[2].partition("\nmarkdown")[0]
    return {line.split()[-1] for line in nav.splitlines() if line.endswith(".md")}


@pytest.mark.parametrize("name", commands())
def test_every_command_has_a_page(name):
    page = f"commands/{name.replace(' ', '-')}.md"
    text = read(DOCS / page)
    assert text.startswith(f"# bertsmith {name}\n")
    for part in (
        "## When",
        f"<!-- synopsis: {name} -->",
        f"<!-- options: {name} -->",
        "Exit codes",
    ):
        assert part in text, part
    assert f"bertsmith {name} " in text.replace(f"# bertsmith {name}\n", "")
    if "--json" in option_names(commands()[name]):
        assert "## With `--json`" in text
    assert page in nav_pages()


@pytest.mark.parametrize("name", format_names())
def test_every_format_has_a_page(name):
    assert f"`.{name}`" in read(DOCS / "formats" / f"{name}.md").partition("\n")[0]
    assert f"formats/{name}.md" in nav_pages()
    assert f"(formats/{name}.md)" in read(DOCS / "formats.md")


@pytest.mark.parametrize("extension", COMPRESSIONS)
def test_every_compression_is_told(extension):
    assert extension in read(DOCS / "formats" / "compression.md").partition("\n")[0]


def test_every_page_is_in_the_navigation():
    assert nav_pages() == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


@pytest.mark.parametrize("name", commands())
def test_tables_of_options_are_whole(name):
    filled = hooks().fill(f"<!-- synopsis: {name} -->\n<!-- options: {name} -->")
    for option in option_names(commands()[name]) - {"--help"}:
        assert f"`{option}`" in filled, option
    for parameter in commands()[name].params:
        assert parameter.help, parameter.name
        assert hooks()._escaped(parameter.help) in filled, parameter.name
    widths = {line.replace("\\|", "").count("|") for line in filled.splitlines() if "|" in line}
    assert widths <= {3, 5}


def test_tables_of_settings_are_whole():
    filled = hooks().fill("<!-- settings: pretrain -->")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in filled.splitlines()[2:]]
    assert rows == [f"`{path}`" for path, _, _ in describe_settings(PretrainRecipe)]
    assert "| `training.num_steps` | `1000000` |" in filled


def test_all_placeholders_are_filled():
    for page in PAGES:
        for line in hooks().fill(read(page)).splitlines():
            assert not line.startswith(("<!-- options", "<!-- synopsis", "<!-- settings")), page


@pytest.mark.parametrize("placeholder", ["options: prepair", "settings: model", "opts: vocab"])
def test_a_wrong_placeholder_is_told(placeholder):
    with pytest.raises(ValueError, match=r"there is no|no placeholder"):
        hooks().fill(f"<!-- {placeholder} -->")


RUN = [page for page in PAGES if "```pycon" in read(page)]


@pytest.mark.parametrize("page", RUN, ids=page_name)
def test_python_in_pages_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = []
    for kind, content in blocks(read(page)):
        if 'title="' in kind:
            (tmp_path / kind.split('"')[1]).write_text(content, encoding="utf-8")
        elif kind == "pycon":
            code.append(content)
    test = doctest.DocTestParser().get_doctest("\n".join(code), {}, page.name, str(page), 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted
    assert not result.failed


def test_pages_that_run_are_found():
    assert {page.stem for page in RUN} >= {"txt", "jsonl", "parquet", "xml", "books", "store"}
