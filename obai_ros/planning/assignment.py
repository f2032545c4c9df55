# SPDX-License-Identifier: Apache-2.0
"""Assignment: which slot of one picture is which of another, by how they look."""

from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.planning.goal_bank import GoalBank
from obai_ros.planning.preference import GoalError
from obai_ros.planning.tracks import LEAST_COLOUR_SD

MOST_OUTLINE = 5.0


class Unlikeness:
    """
    How unlike two objects look, wherever they are.

    The distance between their traits in units of the errors that these are seen with in `bank`.
    Colour tells for sure. What is partly hidden has another size and outline: those count up to
    MOST_OUTLINE only.
    """

    def __init__(self, bank: GoalBank):
        kind = torch.nn.functional.one_hot(bank.shape).to(bank.traits.dtype)
        # Colour is seen as it is, the outline of a shape is the same each time, and the root of
        # its mass grows with its size.
        cause = torch.cat([bank.colour, kind, kind * bank.size[:, None]], 1)
        gain, offset = bank.readout(bank.traits, cause)
        error = (bank.traits - cause @ gain - offset).square().mean(0).sqrt()
        least = error.new_tensor(3 * [LEAST_COLOUR_SD] + (bank.traits.shape[1] - 3) * [1e-3])
        self._error = error.maximum(least)

    def __call__(self, traits: Tensor, others: Tensor) -> Tensor:
        """Return [P, Q] for traits [P, A] and [Q, A]: 0 for the same."""
        away = ((traits[:, None] - others) / self._error).square() / 2
        return away[..., :3].sum(-1) + away[..., 3:].mean(-1).clamp(max=MOST_OUTLINE)


def require_as_many(present: int, wanted: int) -> None:
    """Raise GoalError unless a goal image shows as many objects as are in view."""
    if present != wanted:
        raise GoalError(
            f'the goal image shows {wanted} {"object" if wanted == 1 else "objects"}, but '
            f'{present} {"is" if present == 1 else "are"} in view; show the same objects in both, '
            'or allow a partial match')


def cheapest(cost: list[list[float]]) -> list[int]:
    """
    Return for each row of a cost matrix its column in the cheapest assignment, -1 for none.

    As many rows have a column as can: all of them unless there are more rows than columns.
    """
    if not cost or not cost[0]:
        return [-1] * len(cost)
    rows, columns = len(cost), len(cost[0])
    # Made square with entries that are all the same, and so have no say in who gets what.
    square = [list(row) + [0.0] * (rows - columns) for row in cost]
    square += [[0.0] * columns for _ in range(columns - rows)]
    return [column if column < columns else -1 for column in _hungarian(square)[:rows]]


def _hungarian(cost: list[list[float]]) -> list[int]:
    """
    Return the column of each row of a square matrix.

    The Hungarian method: rows join one at a time, along the shortest path of reassignments in
    costs reduced by the prices of rows and columns. Exact, cubic in the number of rows.
    """
    size = len(cost)
    row_price, column_price = [0.0] * size, [0.0] * size
    owner = [-1] * size                                # the row that holds a column
    for newcomer in range(size):
        distance, came_from = [float('inf')] * size, [-1] * size
        done = [False] * size
        row, column, length = newcomer, -1, 0.0
        while row >= 0:
            for c in range(size):
                through = length + cost[row][c] - row_price[row] - column_price[c]
                if not done[c] and through < distance[c]:
                    distance[c], came_from[c] = through, column
            column = min((c for c in range(size) if not done[c]), key=distance.__getitem__)
            done[column], length, row = True, distance[column], owner[column]
        # Prices such that no reduced cost is negative and those along the path vanish.
        row_price[newcomer] += length
        for c in range(size):
            if done[c]:
                column_price[c] += distance[c] - length
                if owner[c] >= 0:
                    row_price[owner[c]] += length - distance[c]
        while column >= 0:
            before = came_from[column]
            owner[column] = owner[before] if before >= 0 else newcomer
            column = before
    columns = [0] * size
    for column, row in enumerate(owner):
        columns[row] = column
    return columns
