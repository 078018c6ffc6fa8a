"""What settings there are."""

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

__all__ = ["describe_settings"]


def describe_settings(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yields (path, default, meaning) for every setting of a recipe's class.

    Example:
        >>> from pydantic import Field
        >>> from bertsmith._settings import Settings
        >>> class Loop(Settings):
        ...     num_steps: int = Field(100, description="optimizer updates")
        >>> list(describe_settings(Loop))
        [('num_steps', '100', 'optimizer updates')]
    """
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from describe_settings(field.annotation, f"{prefix}{name}.")
            continue
        has_none = field.default in (PydanticUndefined, None, ())
        yield f"{prefix}{name}", "" if has_none else str(field.default), field.description or ""
        item = next(iter(get_args(field.annotation)), None)
        if isinstance(item, type) and issubclass(item, BaseModel):
            yield from describe_settings(item, f"{prefix}{name}.N.")
