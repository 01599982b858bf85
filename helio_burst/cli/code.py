"""Functions by name: "package.module:name" or "file.py:name"."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from helio_burst.errors import InputError, nearest


def load(name: str, folder: Path) -> Callable[..., Any]:
    """Find a function by its name.

    Parameters
    ----------
    name : str
        As "package.module:name", found as Python finds it, also in the current directory; or as
        "file.py:name", the file being relative to `folder`.
    folder : Path
        As a rule the job file's.

    Returns
    -------
    callable

    Raises
    ------
    InputError
        There is no such module, file or name, importing it failed, or it is not callable.

    Examples
    --------
    >>> load("math:hypot", Path())(3, 4)
    5.0
    """
    source, colon, attribute = name.rpartition(":")
    if not colon or not source or not attribute:
        raise InputError(f"{name!r} names no function. Write package.module:name or file.py:name.")
    module = _from_file(folder / source) if source.endswith(".py") else _from_package(source)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [
                key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
            ]
            raise InputError(f"{source} has no {attribute!r}. {nearest(attribute, known)}")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"{name} is a {type(found).__name__}, not a function.")
    function: Callable[..., Any] = found
    return function


def check_options(function: Callable[..., Any], options: Mapping[str, Any], given: int = 1) -> None:
    """Refuse options that the function does not take, or that it needs and are not there.

    Raises
    ------
    InputError
        The message gives the function's signature.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C do not tell
        return
    try:
        signature.bind(*[None] * given, **options)
    except TypeError as error:
        raise InputError(f"{error}; the function is {function.__name__}{signature}.") from error


def _from_package(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(
                f"There is no module {error.name!r} here. Install it, or name a file, as analysis.py:mean."
            ) from error
        raise InputError(f"Importing {name} failed: {error}.") from error
    except Exception as error:  # what a user's module raises on import can be anything
        raise InputError(f"Importing {name} failed: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"There is no file {path}. A path is relative to the job file.")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # a script may import what lies beside it, as under `python script.py`
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # as above
        raise InputError(f"Importing {path} failed: {type(error).__name__}: {error}") from error
    return module
