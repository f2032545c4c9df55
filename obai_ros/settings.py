# SPDX-License-Identifier: Apache-2.0
"""Whether the settings of a dataclass, which come from files, are of the kinds it declares."""
from __future__ import annotations

import sys
from dataclasses import fields
from functools import lru_cache
from numbers import Integral, Real
from types import NoneType
from typing import get_args, get_origin, get_type_hints

_WORDS = {int: 'a whole number', float: 'a finite number', str: 'a word', bool: 'true or false'}


def require_kinds(settings, whose: str = '') -> None:
    """
    Raise ValueError if a setting is of another kind than its dataclass declares.

    Whole numbers, finite numbers, words, truth values, sequences of these, and None where it is
    allowed are told apart; what is declared as anything else is not looked at. whose: what the
    sentence begins with.
    """
    for name, kind in _declared(type(settings)):
        value = getattr(settings, name)
        if not _is(value, kind):
            raise ValueError(f'{whose}{name} is {value!r}, expected {_words(kind)}')


@lru_cache(maxsize=None)
def _declared(dataclass: type) -> list[tuple[str, object]]:
    kinds = get_type_hints(dataclass)
    return [(field.name, kinds[field.name]) for field in fields(dataclass)]


def _is(value: object, kind: object) -> bool:
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:  # NaN is not less than anything, and a whole number may be too large
        return (isinstance(value, Real) and not isinstance(value, bool)
                and abs(value) <= sys.float_info.max)
    if kind in (str, bool, NoneType):
        return isinstance(value, kind)
    parts = get_args(kind)
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple | list):
            return False
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else parts
        return len(value) == len(kinds) and all(map(_is, value, kinds))
    if parts and NoneType in parts:
        return any(_is(value, part) for part in parts)
    return True


def _words(kind: object) -> str:
    parts = [part for part in get_args(kind) if part not in (NoneType, ...)]
    if get_origin(kind) is tuple:
        number = 'a list, each' if ... in get_args(kind) else f'{len(parts)} in a list, each'
        return f'{number} {_WORDS[parts[0]]}'
    if parts:
        return f'{_WORDS[parts[0]]}, or null'
    return _WORDS[kind]
