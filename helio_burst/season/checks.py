"""What is asked of a season is refused, before any work, in one sentence."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from helio_burst.errors import InputError


class Description(BaseModel):
    """A few values that describe something; they are checked when it is made, and never change.

    Raises
    ------
    InputError
        Values are missing, unknown or wrong; the message lists every fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(f"{type(self).__name__} is not right: {faults(error)}.") from error


def faults(error: ValidationError, inside: tuple[str | int, ...] = ()) -> str:
    """List what is wrong, and where; `inside` is the place of what was checked."""
    found = []
    for fault in error.errors():
        place = (*inside, *fault["loc"])
        cause = getattr(fault.get("ctx", {}).get("error"), "__cause__", None)
        if isinstance(cause, ValidationError):  # of a description inside this one
            found.append(faults(cause, place))
            continue
        what = fault["msg"].removeprefix("Value error, ")
        if fault["type"] not in ("value_error", "missing"):
            what += f", not {fault['input']!r}"
        found.append(": ".join([".".join(map(str, place)), what]) if place else what)
    return "; ".join(found)


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of a ``Literal``'s.

    Raises
    ------
    InputError
        Names the choices.
    """
    known = get_args(choices)
    if value not in known:
        raise InputError(f"{name} is {' or '.join(map(repr, known))}, not {value!r}.")


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuse a value of another class.

    Raises
    ------
    InputError
        Names the class that is needed.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name} is a season.{kind.__name__}, not {value!r}.")
