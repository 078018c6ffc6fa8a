"""Checks are modules, found by their place in a folder; a new one is one new file."""

import importlib
import pkgutil
from types import ModuleType

from bertsmith.doctor.finding import Finding

__all__ = ["findings_of", "modules_of"]


def modules_of(package: ModuleType) -> list[ModuleType]:
    """Imports the modules of a package, by name; those with a leading underscore are helpers.

    Example:
        >>> from bertsmith.doctor import corpus_checks
        >>> [m.__name__.rpartition(".")[2] for m in modules_of(corpus_checks)][:3]
        ['amount', 'broken_records', 'control_characters']
    """
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [
        importlib.import_module(f"{package.__name__}.{name}")
        for name in names
        if not name.startswith("_")
    ]


def findings_of(package: ModuleType, measures: object) -> tuple[Finding, ...]:
    """What the checks of a package find, in the order of their names.

    Args:
        package: its modules have a function `check`.
        measures: what that is given.
    """
    return tuple(found for module in modules_of(package) for found in module.check(measures))
