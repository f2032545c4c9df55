# SPDX-License-Identifier: Apache-2.0
"""What is known of one parameter: its default, what is accepted, when it may change."""

import dataclasses
import math
import re

from rcl_interfaces.msg import FloatingPointRange, IntegerRange
from rcl_interfaces.msg import ParameterDescriptor, ParameterType

ALWAYS, UNCONFIGURED, NEVER = 'always', 'unconfigured', 'never'

_TYPES = {
    bool: (ParameterType.PARAMETER_BOOL, 'true or false'),
    int: (ParameterType.PARAMETER_INTEGER, 'an integer'),
    float: (ParameterType.PARAMETER_DOUBLE, 'a number'),
    str: (ParameterType.PARAMETER_STRING, 'a string'),
}
_WHEN = {
    ALWAYS: 'May change at any time.',
    UNCONFIGURED: 'May change while the node is unconfigured (see `ros2 lifecycle set`).',
    NEVER: 'Fixed at start.',
}


@dataclasses.dataclass(frozen=True)
class Spec:
    """One parameter.

    The type is that of `default`. Numbers lie in [low, high], those other than 0 in [least, high]
    if `least` is given (rates, whose inverse is a time). Strings are one of `choices`, or, if
    given, match the regular expression `pattern` that `constraint` puts into words. `change` is
    one of ALWAYS, UNCONFIGURED (lifecycle nodes: before the next configure) and NEVER.
    """

    name: str
    default: bool | int | float | str
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ''
    constraint: str = ''
    change: str = UNCONFIGURED
    least: float | None = None

    @property
    def expected(self) -> str:
        """Say in words which values are accepted."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
        if self.constraint:
            return self.constraint
        words = _TYPES[type(self.default)][1]
        if self.least is not None:
            return f'{words}, 0 or in [{self.least}, {self.high}]'
        return words if self.low is None else f'{words} in [{self.low}, {self.high}]'

    def descriptor(self) -> ParameterDescriptor:
        """Build what `ros2 param describe` shows."""
        descriptor = ParameterDescriptor(
            name=self.name, type=_TYPES[type(self.default)][0], description=self.description,
            additional_constraints=f'Expected: {self.expected}. {_WHEN[self.change]}',
            read_only=self.change == NEVER)
        if self.low is not None and isinstance(self.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(self.low), to_value=float(self.high))]
        elif self.low is not None:
            descriptor.integer_range = [
                IntegerRange(from_value=int(self.low), to_value=int(self.high))]
        return descriptor

    def takes_for_number(self, value) -> bool:
        """Tell whether `value` is an integer where a number is expected: 5 where 5.0 is meant."""
        return type(value) is int and isinstance(self.default, float)

    def refusal(self, value) -> str:
        """Return why `value` cannot be accepted, or '' if it can."""
        accepted = type(value) is type(self.default) or self.takes_for_number(value)
        if accepted and isinstance(value, float):
            accepted = math.isfinite(value)
        if accepted and self.low is not None:
            accepted = self.low <= value <= self.high
        if accepted and self.least is not None:
            accepted = value == 0 or value >= self.least
        if accepted and self.choices:
            accepted = value in self.choices
        if accepted and self.pattern:
            accepted = re.fullmatch(self.pattern, value) is not None
        return '' if accepted else f'{self.name} is {value!r}, expected {self.expected}'
