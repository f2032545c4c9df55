# SPDX-License-Identifier: Apache-2.0
"""Assignment: which slot of one picture is which of another, by what does not depend on place."""

from __future__ import annotations

import torch
from torch import Tensor

from obai_ros.planning.preference import GoalError


def appearance_cost(belief, other, dynamics: Tensor) -> Tensor:
    """
    Return [P, Q]: how unlike two objects look, wherever they are; 0 for the same.

    `belief` and `other` have mean, log_sd [P, N] and [Q, N]; `dynamics` is D [N, 2]. D spans the
    directions in which moving an object moves its state, so the distance is what is left of the
    difference, in units of its standard deviation, when the best shift along D is taken off.
    """
    difference = belief.mean[:, None] - other.mean
    weight = ((2 * belief.log_sd[:, None]).exp() + (2 * other.log_sd).exp()).reciprocal()
    along = weight[..., None] * dynamics                              # [P, Q, N, 2]
    pull = (along.mT @ difference[..., None])
    shift = torch.linalg.solve(along.mT @ dynamics, pull).squeeze(-1)
    rest = difference - shift @ dynamics.mT
    return (weight * rest.square()).sum(-1)


def require_as_many(present: int, wanted: int) -> None:
    """Raise GoalError unless a goal image shows as many objects as are in view."""
    if present != wanted:
        raise GoalError(f'the goal image shows {wanted} objects, but {present} are in view; '
                        'show the same objects in both, or allow a partial match')


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
