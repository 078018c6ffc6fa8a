"""Fills the pages' placeholders from the program itself, so that they can't drift apart.

A placeholder is a line `<!-- KIND: NAME -->`. MkDocs calls `on_page_markdown` for each page.

| placeholder | becomes |
|---|---|
| `commands:` all | a table of the commands, with links |
| `synopsis:` COMMAND | how it is called |
| `options:` COMMAND | tables of its arguments and options |
| `settings:` pretrain, phase, finetune, examples, corpus, cleaning or store | a table of settings |
| `presets:` pretrain or finetune | a table of what the shipped recipes set |
| `tasks:` all | a table of the tasks of `finetune` |
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module, resources
from typing import Any, get_args

from typer.main import get_command

from bertsmith.cli.app import build_app

__all__ = ["fill", "on_config", "on_page_markdown"]

_PLACEHOLDER = re.compile(r"^<!-- ([a-z]+): ?([a-z -]*) -->$", re.MULTILINE)

# Where the class of each kind of settings stands.
_SETTINGS = {
    "pretrain": "training.PretrainRecipe",
    "phase": "training.PhaseSettings",
    "finetune": "tasks.FinetuneRecipe",
    "examples": "examples.ExampleSettings",
    "corpus": "corpus.CorpusSettings",
    "cleaning": "corpus.CleaningSettings",
    "store": "store.StoreSettings",
}


# As they are written after --set, in YAML.
_SPELLED = {"True": "true", "False": "false"}


def on_config(config: Any) -> Any:
    """Keeps [UNK] and its kind, in docstrings, from being read as links; MkDocs calls this."""
    from markdown import Extension, Markdown
    from markdown.inlinepatterns import SimpleTextInlineProcessor

    class SpecialTokens(Extension):
        def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Markdown's own name
            tokens = SimpleTextInlineProcessor(r"(\[(?:PAD|UNK|CLS|SEP|MASK|unused\d+)\])", md)
            # After code (190), before references (170).
            md.inlinePatterns.register(tokens, "special_tokens", 185)

    config.markdown_extensions.append(SpecialTokens())
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills a page; MkDocs calls this."""
    from mkdocs.exceptions import PluginError

    try:
        return fill(markdown)
    except ValueError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def fill(markdown: str) -> str:
    """Replaces every placeholder of a page.

    Raises:
        ValueError: a placeholder that says nothing.
    """

    def replace(match: re.Match[str]) -> str:
        kind, name = match[1], match[2].strip()
        if kind not in _FILLERS:
            raise ValueError(f"no placeholder {kind!r}; known are {', '.join(_FILLERS)}")
        try:
            return "\n".join(_FILLERS[kind](name))
        except (KeyError, FileNotFoundError) as error:
            raise ValueError(f"{kind}: there is no {name!r}") from error

    return _PLACEHOLDER.sub(replace, markdown)


def _command(name: str) -> Any:
    return get_command(build_app([])).commands[name]


def _commands(_: str) -> Iterator[str]:
    commands = get_command(build_app([])).commands
    rows = []
    for name, command in commands.items():
        page = name.replace(" ", "-")
        rows.append((f"[`bertsmith {name}`]({page}.md)", command.help.partition("\n")[0]))
    return _table(("command", "what it does"), rows)


def _synopsis(name: str) -> Iterator[str]:
    words = [f"bertsmith {name}"]
    for parameter in _command(name).params:
        if parameter.param_type_name == "argument":
            word = _placeholder(parameter)
            words.append(word if parameter.required else f"[{word}]")
        elif parameter.required:
            words.append(f"{parameter.opts[0]} {_placeholder(parameter)}")
    yield "```"
    yield " ".join([*words, "[OPTIONS]"])
    yield "```"


def _placeholder(parameter: Any) -> str:
    return parameter.name.upper() + ("..." if parameter.nargs != 1 or parameter.multiple else "")


def _options(name: str) -> Iterator[str]:
    command = _command(name)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    if arguments:
        yield from _table(
            ("argument", "meaning"), [(f"`{_placeholder(p)}`", p.help) for p in arguments]
        )
        yield ""
    # As --help does it: the command's own options first, then the groups that have a title.
    for panel in dict.fromkeys([None, *(p.rich_help_panel for p in options)]):
        if panel is not None:
            yield f"### {panel}\n"
        rows = [_option(p) for p in options if p.rich_help_panel == panel]
        yield from _table(("option", "value", "default", "meaning"), rows)
        yield ""


def _option(parameter: Any) -> tuple[str, str, str, str]:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    if parameter.secondary_opts:
        names += " / " + ", ".join(f"`{name}`" for name in parameter.secondary_opts)
    return names, _value(parameter), _default(parameter), parameter.help or ""


_KINDS = {"int": "number", "float": "number", "str": "text", "path": "path"}


def _value(parameter: Any) -> str:
    """What is to be given after an option, in a word."""
    if parameter.is_flag:
        return ""
    kind = re.match(r"<?(?:list\[)?([^\]>]+)", parameter.display_type(None))[1]  # type: ignore[index]
    kind = " or ".join(kind.split("|")) if "|" in kind else _KINDS.get(kind.split()[0], kind)
    low, high = parameter.min, parameter.max
    if low is not None and high is not None:
        kind += f" from {low} to {high}"
    elif low is not None:
        kind += f" from {low}"
    return kind + (", repeatable" if parameter.multiple else "")


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        on, off = parameter.opts[0], parameter.secondary_opts
        return f"`{on}`" if value else (f"`{off[0]}`" if off else "off")
    return f"`{' '.join(map(str, value)) if isinstance(value, list) else value}`"


def _settings(name: str) -> Iterator[str]:
    from bertsmith.recipes import describe_settings

    room, _, kind = _SETTINGS[name].partition(".")
    settings = getattr(import_module(f"bertsmith.{room}"), kind)
    rows = [
        (f"`{path}`", f"`{_SPELLED.get(default, default)}`" if default else "", meaning)
        for path, default, meaning in describe_settings(settings)
    ]
    return _table(("setting", "default", "meaning"), rows)


def _presets(stage: str) -> Iterator[str]:
    """What a recipe file sets, beside the others: settings down, presets across."""
    import yaml

    from bertsmith.recipes import preset_names

    folder = resources.files("bertsmith.recipes") / stage
    presets = {
        name: dict(_flat(yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))))
        for name in sorted(preset_names(stage), key=_size)
    }
    paths = dict.fromkeys(path for preset in presets.values() for path in preset)
    rows = [
        (f"`{path}`", *(str(preset.get(path, "")) for preset in presets.values())) for path in paths
    ]
    return _table(("setting", *(f"`{name}`" for name in presets)), rows)


def _size(preset: str) -> int:
    """Where a preset that is named as a model stands among the models."""
    from bertsmith.training import ModelSettings

    sizes = get_args(ModelSettings.model_fields["size"].annotation)
    return sizes.index(preset) if preset in sizes else len(sizes)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, list):
            yield from _flat({str(i): item for i, item in enumerate(value)}, f"{prefix}{name}.")
        elif isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _tasks(_: str) -> Iterator[str]:
    from bertsmith.tasks import get_task, task_names

    rows = [(f"`{name}`", get_task(name).summary) for name in task_names()]
    return _table(("task", "what it is"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(header)
    yield "|" + "---|" * len(header)
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(cell: str) -> str:
    """A bar would end the cell; in code Markdown's own signs mean nothing."""
    pieces = " ".join(cell.split()).replace("|", "\\|").split("`")
    plain = [re.sub(r"(?<![(\]])[<*_]", r"\\\g<0>", piece) for piece in pieces[::2]]
    pieces[::2] = [piece.replace("\\<", "&lt;") for piece in plain]
    return "`".join(pieces)


_FILLERS: dict[str, Callable[[str], Iterator[str]]] = {
    "commands": _commands,
    "synopsis": _synopsis,
    "options": _options,
    "settings": _settings,
    "presets": _presets,
    "tasks": _tasks,
}
