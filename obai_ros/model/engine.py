# SPDX-License-Identifier: Apache-2.0
"""The engine of perception: what is done again and again while frames come, in one place."""
from __future__ import annotations

from torch import Tensor

from obai_ros.action_field import ActionField
from obai_ros.model.belief import ActionBelief
from obai_ros.model.descent import descend
from obai_ros.model.noise import Noise
from obai_ros.model.obai import Obai
from obai_ros.model.percept import Description, describe
from obai_ros.model.refinement import refine_repeatedly
from obai_ros.model.velocity import best_velocities
from obai_ros.model.window import Window, expected


class Engine:
    """Does what the functions do that are read, trained and trusted, by calling them."""

    name = 'reference'

    @property
    def working(self) -> str:
        """The name of the engine that does the work at present, its own or another's."""
        return self.name

    def refine(self, model: Obai, window: Window, iterations: int, noise: Noise
               ) -> tuple[Window, Tensor]:
        """See `refinement.refine_repeatedly`."""
        return refine_repeatedly(model, window, iterations, noise)

    def expect(self, model: Obai, window: Window, field: ActionField, confined: bool
               ) -> tuple[Tensor, ActionBelief]:
        """See `window.expected`."""
        return expected(model, window, field, confined)

    def move(self, model: Obai, window: Window) -> Window:
        """See `velocity.best_velocities`."""
        return best_velocities(model, window)

    def descend(self, model: Obai, window: Window, steps: int) -> tuple[Window, Tensor]:
        """See `descent.descend`."""
        return descend(model, window, steps)

    def describe(self, model: Obai, mean: Tensor, image: Tensor) -> Description:
        """See `percept.describe`."""
        return describe(model, mean, image)

    def close(self) -> None:
        """Leave nothing running and no files; engines that are used no longer are to be closed."""
