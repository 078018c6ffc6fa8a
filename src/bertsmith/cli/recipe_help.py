"""The settings of a recipe, as text for --help."""

from pydantic import BaseModel

from bertsmith.recipes import describe_settings

__all__ = ["settings_help"]


def settings_help(kind: type[BaseModel]) -> str:
    """One paragraph a setting: path, default, meaning."""
    lines = ["Settings for --set and recipe files:"]
    for path, default, meaning in describe_settings(kind):
        shown = f" = {default}" if default else ""
        lines.append(f"{path}{shown}: {meaning}")
    return "\n\n".join(lines)
