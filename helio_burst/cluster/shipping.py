"""The user's own code to the workers: functions, classes and modules by value, installed packages by name."""

from __future__ import annotations

import dis
import importlib
import importlib.util
import io
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import cloudpickle

from helio_burst.errors import InputError

_lock = threading.RLock()
_MARK = "__helio_burst_shipped__"


def dumps(obj: Any) -> bytes:
    """Pickle an object together with whatever of the user's own code it needs.

    What was defined in a notebook or a script, or in a module that is not installed in site-packages, goes
    by value, as it is in this process now; so do local modules that a function imports in its body.
    Installed packages, the standard library and `helio_burst` itself go by name.

    Parameters
    ----------
    obj : Any
        As a rule a function.

    Returns
    -------
    bytes
        For plain ``cloudpickle.loads``, in a process that has the installed packages.

    Raises
    ------
    InputError
        If something in it cannot be pickled; the message says what, and where it hangs.

    Examples
    --------
    >>> import cloudpickle
    >>> factor = 3
    >>> cloudpickle.loads(dumps(lambda x: factor * x))(14)
    42
    """
    with _lock:
        modules: dict[str, ModuleType] = {}
        while True:
            # Anew each time: what was imported just now must go by value too.
            with _local_modules_by_value():
                try:
                    blob, imported = _pickle(_Shipment(modules, obj) if modules else obj)
                except Exception as error:
                    raise InputError(_explain(obj, error)) from error
            if imported <= modules.keys():
                return blob
            modules |= {name: importlib.import_module(name) for name in imported}


def is_local(module: ModuleType) -> bool:
    """Say whether a module is the user's own: Python source that is not installed."""
    name = module.__name__
    if name.partition(".")[0] == "helio_burst" or name == "__main__":
        return False
    file = getattr(module, "__file__", None)
    if file is None:  # a namespace package has no file, only folders
        folders = list(getattr(module, "__path__", ()))
        return bool(folders) and all(_is_local_path(folder) for folder in folders)
    return str(file).endswith((".py", ".pyc")) and _is_local_path(str(file))


@cache
def _is_local_path(path: str) -> bool:
    if not Path(path).is_absolute() and path.startswith("<"):
        return False
    if {"site-packages", "dist-packages"} & set(Path(path).parts):
        return False
    return not any(Path(path).is_relative_to(folder) for folder in _standard_library())


@cache
def _standard_library() -> tuple[str, ...]:
    return tuple({sysconfig.get_path(key) for key in ("stdlib", "platstdlib")})


@contextmanager
def _local_modules_by_value() -> Iterator[None]:
    """Have cloudpickle carry the contents of all local modules for a while."""
    before = cloudpickle.list_registry_pickle_by_value()
    local = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    local = [module for module in local if module.__name__ not in before and is_local(module)]
    # A module may stand in sys.modules under another name than its own; cloudpickle wants to find its own.
    local = list({m.__name__: m for m in local if m.__name__ in sys.modules}.values())
    for module in local:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in local:
            cloudpickle.unregister_pickle_by_value(module)


class _Shipment:
    """An object and the local modules that its functions import while they run."""

    def __init__(self, modules: Mapping[str, ModuleType], obj: Any) -> None:
        self.modules = dict(modules)
        self.obj = obj

    def __reduce__(self) -> Any:
        return _unpack, (self.modules, self.obj)


def _unpack(modules: Mapping[str, ModuleType], obj: Any) -> Any:
    """On the worker: make the shipped modules importable, in the place of an earlier shipment's."""
    for name, module in modules.items():
        known = sys.modules.get(name)
        if known is None or hasattr(known, _MARK):
            sys.modules[name] = module
    return obj


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Notes which local modules the functions import, and carries modules that refer to each other."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.imported: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType) and is_local(obj):
            state = {key: value for key, value in vars(obj).items() if key not in _MODULE_MACHINERY}
            return ModuleType, (obj.__name__,), state | {_MARK: True}, None, None, _fill_module
        reduced = super().reducer_override(obj)
        if isinstance(obj, FunctionType) and reduced is not NotImplemented:  # this function goes by value
            self.imported |= _local_imports(obj.__code__, obj.__globals__.get("__package__"))
        return reduced


_MODULE_MACHINERY = ("__builtins__", "__loader__", "__spec__", "__cached__")


def _fill_module(module: ModuleType, state: dict[str, Any]) -> None:
    vars(module).update(state)


def _pickle(obj: Any) -> tuple[bytes, set[str]]:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(obj)
    return buffer.getvalue(), pickler.imported


def _local_imports(code: CodeType, package: str | None) -> set[str]:
    """Return the local modules, and the packages they lie in, that import statements in the code name."""
    names: set[str] = set()
    instructions = list(dis.get_instructions(code))
    for index, instruction in enumerate(instructions):
        if instruction.opname != "IMPORT_NAME":
            continue
        level, items = instructions[index - 2].argval, instructions[index - 1].argval or ()
        base = _absolute(instruction.argval, int(level), package)
        if base is None or not _found_locally(base):
            continue
        names.add(base)
        names.update(f"{base}.{item}" for item in items if _found_locally(f"{base}.{item}"))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _local_imports(constant, package)
    parents = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    return names | parents


def _absolute(name: str, level: int, package: str | None) -> str | None:
    if not level:
        return str(name)
    return importlib.util.resolve_name("." * level + name, package) if package else None


def _found_locally(name: str) -> bool:
    """Say whether a module is there and local, importing nothing but the local packages it lies in."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("helio_burst", "__main__"):
        return False
    if "." in name and not _found_locally(name.rpartition(".")[0]):
        return False
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # its package is a plain module, or it was made by hand
        return name in sys.modules and is_local(sys.modules[name])
    if spec is None:
        return False
    if spec.origin is None:
        return all(_is_local_path(folder) for folder in spec.submodule_search_locations or ["<none>"])
    return spec.origin.endswith(".py") and _is_local_path(spec.origin)


def _explain(obj: Any, error: Exception) -> str:
    what = getattr(obj, "__qualname__", None) or type(obj).__name__
    path, culprit = _culprit(obj)
    where = " of ".join(reversed(path))
    named = f"{where}, {_kind(culprit)}," if path else f"{_kind(culprit)}"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"Cannot send {what!r} to the workers: {named} cannot be pickled ({reason}). "
        "Make it inside the function, or pass what it is made from (a URL, a path, a number) as an option."
    )


def _kind(value: Any) -> str:
    kind = type(value)
    article = "an" if kind.__name__[0].lower() in "aeiou" else "a"
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"{article} {module}{kind.__qualname__}"


def _culprit(obj: Any) -> tuple[list[str], Any]:
    """Follow what cannot be pickled down to the innermost part that cannot."""
    path: list[str] = []
    seen = {id(obj)}
    while len(path) < 20:
        for label, part in _parts(obj):
            if id(part) not in seen and not _picklable(part):
                seen.add(id(part))
                path.append(label)
                obj = part
                break
        else:
            break
    return path, obj


def _picklable(obj: Any) -> bool:
    try:
        _pickle(obj)
    except Exception:  # whatever a foreign __reduce__ raises: the question is only whether it does
        return False
    return True


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object is pickled from, each with the words that say where it hangs."""
    if isinstance(obj, MethodType):
        yield f"the object of method {obj.__name__!r}", obj.__self__
    elif isinstance(obj, FunctionType):
        for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=True):
            try:
                yield f"closure variable {name!r}", cell.cell_contents
            except ValueError:  # not assigned yet
                continue
        for value in (*(obj.__defaults__ or ()), *(obj.__kwdefaults__ or {}).values()):
            yield "a default value", value
        for name in _names(obj.__code__):
            if name in obj.__globals__:
                yield f"global variable {name!r}", obj.__globals__[name]
    elif isinstance(obj, Mapping):
        for key, value in obj.items():
            yield f"item {key!r}", value
    elif isinstance(obj, (list, tuple, set, frozenset)):
        for index, value in enumerate(obj):
            yield f"item {index}", value
    elif isinstance(obj, (type, ModuleType)) or hasattr(obj, "__dict__"):
        if hasattr(obj, "func") and hasattr(obj, "keywords"):  # functools.partial
            yield "the partial's function", obj.func
            yield "the partial's arguments", (*obj.args, obj.keywords)
        for name, value in vars(obj).items():
            if not name.startswith("__") or isinstance(value, FunctionType):
                yield f"attribute {name!r}", value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
