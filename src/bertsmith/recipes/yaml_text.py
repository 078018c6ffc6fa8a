"""YAML as people write it: a key that stands twice is told, where plain YAML keeps the last."""

from typing import Any

import yaml

from bertsmith.errors import RecipeError

__all__ = ["parse_yaml"]


def parse_yaml(text: str, where: str) -> Any:
    r"""Reads YAML.

    Args:
        text: the YAML.
        where: where it stands, named in errors.

    Raises:
        RecipeError: it isn't YAML, or a key stands twice in one group.

    Example:
        >>> parse_yaml("training: {seed: 7}", "my.yaml")
        {'training': {'seed': 7}}
        >>> parse_yaml("seed: 7\nseed: 8", "my.yaml")
        Traceback (most recent call last):
            ...
        bertsmith.errors.RecipeError: my.yaml:2: seed stands twice, first in line 1; leave one out
    """
    try:
        return yaml.load(text, _Loader)
    except _StandsTwiceError as error:
        key, line, first = error.args
        first_line = f", first in line {first}" if line != first else ""
        # What stands after --set is one line.
        place = f"{where}:{line}" if "\n" in text.strip() else where
        raise RecipeError(
            f"{key} stands twice{first_line}", where=place, fix="leave one out"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"is not YAML: {error}", where=where) from error


class _StandsTwiceError(yaml.YAMLError):
    """A key, the line that has it again, and the line that had it first; lines count from 1."""


class _Loader(yaml.SafeLoader):
    # Looked for before `<<` brings in what the group may well have otherwise.
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                raise _StandsTwiceError(key.value, line, lines[key.value])
            lines[key.value] = line
        return node
