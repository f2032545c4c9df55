# SPDX-License-Identifier: Apache-2.0
"""The parameters of a node, declared and validated by its table (see `tables`)."""

from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.parameter import Parameter

from obai_ros.nodes import qos
from obai_ros.nodes.spec import ALWAYS, UNCONFIGURED

# Set by ROS itself, never by a table.
_FOREIGN = ('use_sim_time', 'qos_overrides', 'start_type_description_service')


class ParameterError(ValueError):
    """A parameter was given a value at start that the node cannot work with."""


class Parameters:
    """The declared parameters of one node: read them as attributes.

    node: the rclpy node; specs: its table; configured: tells whether values marked UNCONFIGURED
    are in use; check(changed: dict) -> str: reason why the node refuses a combination, '' if it
    does not; apply(changed: dict): called after values marked ALWAYS have changed.
    Raises ParameterError if a value given at start is not acceptable. Values given for names that
    the node does not have are named in one warning.
    """

    def __init__(self, node, specs, configured=lambda: False, check=lambda changed: '',
                 apply=lambda changed: None):
        self._node = node
        self._specs = {spec.name: spec for spec in specs}
        self._configured = configured
        self._check = check
        self._apply = apply
        given = node._parameter_overrides
        given.update({one.name: one for one in self._as_meant(given.values())})
        for spec in specs:
            self._declare(spec)
        self._check_qualities()
        self._warn_of_strangers()
        node.add_pre_set_parameters_callback(self._as_meant)
        node.add_on_set_parameters_callback(self._validate)
        node.add_post_set_parameters_callback(self._changed)

    def __getattr__(self, name):
        if name.startswith('_') or name not in self._specs:
            raise AttributeError(f'no parameter {name!r} in the table of this node')
        return self._node.get_parameter(name).value

    def _as_meant(self, parameters):
        """Return parameters with integers as numbers where these are expected, not refused."""
        return [Parameter(one.name, value=float(one.value))
                if one.name in self._specs and self._specs[one.name].takes_for_number(one.value)
                else one for one in parameters]

    def _declare(self, spec):
        try:
            value = self._node.declare_parameter(spec.name, spec.default, spec.descriptor()).value
        except (InvalidParameterTypeException, InvalidParameterValueException):
            given = self._node._parameter_overrides[spec.name].value
            raise ParameterError(
                f'parameter {spec.refusal(given)}; correct it on the command line or in the '
                'parameter file') from None
        refusal = spec.refusal(value)
        if refusal:
            raise ParameterError(
                f'parameter {refusal}; correct it on the command line or in the parameter file')

    def _check_qualities(self):
        """Refuse what rclpy would stumble over when a publisher or subscription is made."""
        for name, parameter in self._node._parameter_overrides.items():
            refusal = name.startswith('qos_overrides.') and qos.override_refusal(
                name, parameter.value)
            if refusal:
                raise ParameterError(
                    f'parameter {refusal}; correct it on the command line or in the parameter '
                    'file')

    def _warn_of_strangers(self):
        strangers = sorted(
            name for name in self._node._parameter_overrides
            if name not in self._specs and name.split('.')[0] not in _FOREIGN)
        if strangers:
            self._node.get_logger().warning(
                f'{self._node.get_name()} has no parameter {", ".join(strangers)}; it has '
                f'{", ".join(sorted(self._specs))}. The value is ignored.')

    def _validate(self, parameters):
        changed = {}
        for parameter in parameters:
            spec = self._specs.get(parameter.name)
            if spec is None:
                continue
            reason = spec.refusal(parameter.value)
            if not reason and spec.change == UNCONFIGURED and self._configured():
                reason = (f'{spec.name} is in use; it can change while the node is unconfigured '
                          '(ros2 lifecycle set ... deactivate, then cleanup)')
            if reason:
                return SetParametersResult(successful=False, reason=reason)
            changed[parameter.name] = parameter.value
        reason = self._check(changed)
        return SetParametersResult(successful=not reason, reason=reason)

    def _changed(self, parameters):
        changed = {p.name: p.value for p in parameters
                   if p.name in self._specs and self._specs[p.name].change == ALWAYS}
        if changed:
            self._apply(changed)
