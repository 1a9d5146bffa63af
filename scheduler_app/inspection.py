"""What Python tells of the function that a job declares, whatever that object is."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from scheduler_app.exceptions import DeclarationError
from scheduler_app.text import nearest, shown

JobFunction = Callable[..., Any]
T = TypeVar("T")
_PLACE = ("__module__", "__qualname__")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)


def takes_context(function: JobFunction) -> bool:
    """Return whether it has a parameter for the context: one that it cannot do without, or that is
    named so. Others keep their defaults."""
    found = signature(function)
    return found is not None and any(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and (parameter.default is parameter.empty or parameter.name == "context")
        for parameter in found.parameters.values()
    )


def with_arguments(
    function: JobFunction, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> JobFunction:
    """Return the function as it is called with these arguments before and after the context; itself
    if there are none. Raises DeclarationError if they do not fit."""
    if not isinstance(args, Sequence) or isinstance(args, str | bytes):
        raise DeclarationError(f"Bad args {shown(args)} of {place(function)}: use a list or tuple.")
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        raise DeclarationError(
            f"Bad kwargs {shown(kwargs)} of {place(function)}: use a dict by name."
        )
    if not args and not kwargs:
        return function
    found = signature(function)
    try:
        bound = found.bind_partial(*args, **kwargs) if found else None
    except TypeError as error:
        text = f"{place(function)} cannot be called with args and kwargs ({error})."
        raise DeclarationError(text) from error
    if bound and "context" in bound.arguments:
        raise DeclarationError(
            f"args or kwargs give {place(function)} its context, which the scheduler gives: "
            "put it after the parameters that args fill, and fill those after it by kwargs."
        )
    return partial(function, *args, **kwargs)


def complaint(function: JobFunction, *, with_context: bool) -> str:
    """Return why this object cannot be a job's function; empty if it can."""
    where = place(function)
    if isinstance(function, type) or not callable(function):
        what = "a class" if isinstance(function, type) else "not callable"
        return f"{where} is {what}: declare a function or a bound method."
    if is_generator(function):
        return (
            f"{where} is a generator: calling it runs none of its body. "
            "Declare a function without yield."
        )
    parameters = signature(function)
    if parameters is None:
        return f"Python cannot tell the parameters of {where}: declare a function that calls it."
    try:
        parameters.bind(*[None] * with_context)
    except TypeError as error:
        return (
            f"{where} cannot be called with a context alone ({error}): "
            "declare it with no parameter or with one."
        )
    return ""


def misfit(function: JobFunction, arguments: Mapping[str, Any], *, with_context: bool) -> str:
    """Return why the function cannot be called with these keyword arguments, besides its context;
    empty if it can."""
    parameters = signature(function)
    if parameters is None:
        return "Python cannot tell which it takes"
    try:
        parameters.bind_partial(*[None] * with_context, **arguments)
    except TypeError as error:
        unknown = (name for name in arguments if name not in parameters.parameters)
        near = next(filter(None, (nearest(name, parameters.parameters) for name in unknown)), "")
        return f"{error} (did you mean {near}?)" if near else str(error)
    return ""


def fillable(function: JobFunction, *, with_context: bool) -> list[inspect.Parameter]:
    """Return the parameters that can be given by name, besides the one that takes the context."""
    found = signature(function)
    if found is None:
        return []
    known = list(found.parameters.values())
    if with_context:
        first = next((p for p in known if p.kind in _POSITIONAL), None)
        known = [parameter for parameter in known if parameter is not first]
    return [parameter for parameter in known if parameter.kind in _NAMED]


def signature(function: JobFunction) -> inspect.Signature | None:
    return asked(lambda: inspect.signature(function), None)


def is_generator(function: JobFunction) -> bool:
    function = wrapped(function)
    inner = function.__func__ if isinstance(function, staticmethod) else type(function).__call__
    return any(
        inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, inner)
    )


def place(function: JobFunction) -> str:
    """Return where the function is, for people who look for it."""
    named = asked(lambda: wrapped(function), function)
    for owner in (named, type(named)):
        module, name = (asked(partial(getattr, owner, attribute), None) for attribute in _PLACE)
        if isinstance(module, str) and isinstance(name, str):
            return f"{module}.{name}" if owner is function else f"{module}.{name} (an object)"
    return f"an object of type {type(function).__name__}"


def wrapped(function: JobFunction) -> JobFunction:
    while isinstance(function, partial):
        function = function.func
    return function


def asked(question: Callable[[], T], otherwise: T) -> T:
    """Return the answer of an object of the project, or `otherwise` if it raises."""
    try:
        return question()
    except Exception:
        return otherwise
