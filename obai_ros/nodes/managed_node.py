# SPDX-License-Identifier: Apache-2.0
"""What the lifecycle nodes have in common: transitions that say what went wrong, and autostart."""

import traceback

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from obai_ros.nodes.complaints import Complaints
from obai_ros.nodes.parameters import Parameters


class ConfigureError(RuntimeError):
    """The node cannot be configured; the message says why and what to do."""


class ManagedNode(LifecycleNode):
    """A lifecycle node with declared parameters that brings itself up unless told not to.

    A node derived from it implements load() (configure: allocate, raise ConfigureError if that is
    not possible), start() and stop() (activate, deactivate) and unload() (cleanup: free memory).
    `settings` are its parameters, `complaints` its counted and throttled errors.
    """

    def __init__(self, name, specs):
        super().__init__(name)
        self.active = False
        self._configured = False
        self.complaints = Complaints(self.get_logger().error)
        self.settings = Parameters(self, specs, configured=lambda: self._configured,
                                   check=self.check_settings, apply=self.apply_settings)
        if self.settings.autostart:
            self._autostart = self.create_timer(0.0, self._start_up)

    def load(self):
        """Allocate what the node needs; raise ConfigureError if that is not possible."""

    def start(self):
        """Begin to work."""

    def stop(self):
        """Cease to work, keep what was loaded."""

    def unload(self):
        """Free what load() allocated."""

    def check_settings(self, changed: dict) -> str:
        """Return why the node refuses these new values, '' if it accepts them."""
        return ''

    def apply_settings(self, changed: dict) -> None:
        """Make new values of parameters take effect."""

    def on_configure(self, state):
        self._configured = True
        self.complaints.begin()
        try:
            self.load()
        except ConfigureError as error:
            self._configured = False
            self.get_logger().error(
                f'cannot be configured: {error} The node stays unconfigured; once that is mended: '
                f'ros2 lifecycle set {self.get_fully_qualified_name()} configure')
            return TransitionCallbackReturn.FAILURE
        except Exception:
            # rclpy turns every exception in a transition into an error state without a word.
            self._configured = False
            self.get_logger().fatal(traceback.format_exc())
            raise
        return super().on_configure(state)

    def on_activate(self, state):
        result = super().on_activate(state)
        self.active = True
        try:
            self.start()
        except Exception:
            self.active = False
            self.get_logger().fatal(traceback.format_exc())
            raise
        return result

    def on_deactivate(self, state):
        self.active = False
        self.stop()
        self.get_logger().info('inactive')
        return super().on_deactivate(state)

    def on_cleanup(self, state):
        self.unload()
        self._configured = False
        self.get_logger().info('unconfigured, memory freed')
        return super().on_cleanup(state)

    def on_shutdown(self, state):
        if self.active:
            self.active = False
            self.stop()
        if self._configured:
            self.unload()
            self._configured = False
        return super().on_shutdown(state)

    def on_error(self, state):
        # A transition has failed half-way, and said so; the node is unconfigured after this.
        if self._configured:
            self.unload()
            self._configured = False
        return super().on_error(state)

    def destroy_node(self):
        super().destroy_node()
        # rclpy leaves this to garbage collection, and with it the whole DDS participant.
        self._state_machine.destroy_when_not_in_use()

    def _start_up(self):
        self._autostart.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
