"""A hash of what a function does: its code, constants, defaults, closure and the user's functions it calls.

Bytecode is hashed, not source text: it is what runs, it knows nothing of comments, and it is there for
functions of notebooks and consoles too. Installed packages count by name and version.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.metadata
import inspect
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dask.tokenize import TokenizationError, tokenize

from helio_burst.errors import InputError


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits that change when any part would give another result.

    Examples
    --------
    >>> fingerprint(len, {"scale": 2}) == fingerprint(len, {"scale": 2})
    True
    >>> fingerprint(len, {"scale": 2}) == fingerprint(len, {"scale": 3})
    False
    """
    digest = hashlib.sha256()
    for token in _walk(parts, set()):
        digest.update(token.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _walk(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, (types.FunctionType, types.MethodType, type, types.ModuleType)) or _is_instance(
        value
    ):
        if id(value) in seen:
            yield "again"
            return
        seen.add(id(value))
    if isinstance(value, types.FunctionType):
        yield from _function(value, seen)
    elif isinstance(value, functools.partial):
        yield "partial"
        yield from _walk((value.func, value.args, value.keywords), seen)
    elif isinstance(value, functools._lru_cache_wrapper):
        yield "cached"
        yield from _walk(value.__wrapped__, seen)
    elif isinstance(value, types.MethodType):
        yield "method"
        yield from _walk((value.__func__, value.__self__), seen)
    elif isinstance(value, types.BuiltinFunctionType | type(len)):
        yield f"builtin {value.__module__}.{value.__qualname__}"
    elif isinstance(value, type):
        yield from _class(value, seen)
    elif isinstance(value, types.ModuleType):
        yield from _module(value)
    elif isinstance(value, types.CodeType):
        yield from _code(value, seen)
    elif isinstance(value, Mapping) and type(value) is dict:
        yield f"dict {len(value)}"
        for name in sorted(value, key=repr):
            yield from _walk(name, seen)
            yield from _walk(value[name], seen)
    elif isinstance(value, (list, tuple)):
        yield f"{type(value).__name__} {len(value)}"
        for part in value:
            yield from _walk(part, seen)
    elif isinstance(value, (set, frozenset)):
        yield f"set {sorted(map(repr, value))}"
    elif _is_instance(value):
        yield from _walk((type(value), _state(value)), seen)
    else:
        yield _data(value)


def _function(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    if not is_users(function):
        yield _installed(function)
        return
    yield f"function {function.__qualname__}"
    yield from _code(function.__code__, seen)
    closure = [_cell(cell) for cell in function.__closure__ or ()]
    yield from _walk([function.__defaults__, function.__kwdefaults__, closure], seen)
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name
            yield from _walk(function.__globals__[name], seen)


def _cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "empty"


def _code(code: types.CodeType, seen: set[int]) -> Iterator[str]:
    yield f"code {code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_flags}"
    for constant in code.co_consts:
        yield from _walk(constant, seen)


def _names(code: types.CodeType) -> set[str]:
    """Return the globals that code reads; attributes, which `co_names` has too, are none."""
    names = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _class(kind: type, seen: set[int]) -> Iterator[str]:
    if not is_users(kind):
        yield _installed(kind)
        return
    yield f"class {kind.__qualname__}"
    yield from _walk(list(kind.__bases__), seen)
    for name, member in sorted(vars(kind).items()):
        if isinstance(member, staticmethod | classmethod):
            member = member.__func__
        elif isinstance(member, property):
            member = [member.fget, member.fset]
        if name not in ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__"):
            yield name
            yield from _walk(member, seen)


def _module(module: types.ModuleType) -> Iterator[str]:
    if is_users(module):
        source = Path(module.__file__ or "")
        yield f"module {module.__name__} {hashlib.sha256(source.read_bytes()).hexdigest()}"
    else:
        yield _installed(module)


def _is_instance(value: Any) -> bool:
    """Say whether this is an object of a class of the user's own."""
    return not isinstance(value, type) and is_users(type(value)) and type(value).__module__ != "builtins"


def _state(value: Any) -> Any:
    state = getattr(value, "__dict__", None)
    slots = {
        name: getattr(value, name)
        for kind in type(value).__mro__
        for name in getattr(kind, "__slots__", ())
        if hasattr(value, name)
    }
    return {**(state or {}), **slots}


def _data(value: Any) -> str:
    try:
        return f"{type(value).__qualname__} {tokenize(value, ensure_deterministic=True)}"
    except TokenizationError as error:
        raise InputError(
            f"No stable hash can be made of {value!r} ({type(value).__module__}.{type(value).__qualname__}), "
            "which the function, the reader or the options hold; a run with store= needs one to know its own "
            "results again. Pass plain values, arrays or functions instead."
        ) from error


_INSTALLED = tuple(
    str(Path(path).resolve())
    for path in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_OURS = str(Path(__file__).resolve().parents[1])


def is_users(thing: Any) -> bool:
    """Say whether something is the user's own code, neither of Python, nor installed, nor ours."""
    name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    if name is None or name in ("__main__", "__mp_main__"):
        return not isinstance(thing, types.ModuleType)
    if name.partition(".")[0] in sys.builtin_module_names:
        return False
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if file is None:
        return module is None or not isinstance(thing, types.ModuleType)
    path = str(Path(file).resolve())
    if path.startswith(_OURS) or "site-packages" in path or "dist-packages" in path:
        return False
    return not path.startswith(_INSTALLED)


def _installed(thing: Any) -> str:
    name = str(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))
    return f"installed {name}.{getattr(thing, '__qualname__', '')} {_version(name.partition('.')[0])}"


@functools.cache
def _version(package: str) -> str:
    module = sys.modules.get(package)
    version = getattr(module, "__version__", None)
    if isinstance(version, str):
        return version
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"python {sys.version_info.major}.{sys.version_info.minor}"


def describe(function: Any) -> str:
    """Name a function for people: module and qualified name; for a partial, that of what it wraps."""
    while isinstance(function, functools.partial):
        function = function.func
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return name if module in ("", "__main__", "builtins") else f"{module}.{name}"


def source_of(function: Any) -> str:
    """Return the source text of a function for provenance; empty where there is none."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""
