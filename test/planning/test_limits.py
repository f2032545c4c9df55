# SPDX-License-Identifier: Apache-2.0
import pytest
from scipy.optimize import lsq_linear
import torch

from obai_ros.planning.horizon import Horizon, Projection
from obai_ros.planning.limits import box_minimum, clip


def problems(make_belief, make_preference, dynamics, steps=5):
    """Return Hessian, target, curvature and unconstrained minimum of a batch of plans."""
    horizon, goal = Horizon(steps, 1.0, torch.float64), make_preference(8, 2)
    projection = Projection.of(make_belief(8, 2), goal, *goal.through(dynamics))
    projection = Projection(*(value.flatten(0, 1) for value in vars(projection).values()))
    cost = 0.3 * projection.gram.diagonal(dim1=-2, dim2=-1).sum(-1) / 2
    plan, _, _ = horizon.solve(projection, horizon.mode_inverses(projection.gram, cost))
    return (horizon.hessian(projection, cost), horizon.target(projection).flatten(-2),
            horizon.curvature(projection, cost), plan.flatten(-2))


def test_clipping_bounds_each_component():
    plan = torch.tensor([[[3.0, -5.0], [0.5, 9.0]]])
    assert clip(plan, 2.0).tolist() == [[[2.0, -2.0], [0.5, 2.0]]]


@pytest.mark.parametrize('limit', [0.05, 0.5])
def test_box_minimum_is_scipys(make_belief, make_preference, dynamics, limit):
    """A quadratic a'Ha/2 - b'a is a least-squares problem in the Cholesky factor of H."""
    hessian, target, curvature, free = problems(make_belief, make_preference, dynamics)
    assert (free.abs() > limit).any(-1).sum() > 4
    found = box_minimum(hessian, target, limit, clip(free, limit), curvature, 400)
    assert (found.abs() <= limit).all()
    for row in range(len(found)):
        factor = torch.linalg.cholesky(hessian[row])
        right = torch.linalg.solve_triangular(factor, target[row, :, None], upper=False)
        best = lsq_linear(factor.mT.numpy(), right.squeeze(-1).numpy(), (-limit, limit),
                          tol=1e-14)
        torch.testing.assert_close(found[row], torch.from_numpy(best.x), atol=1e-4 * limit,
                                   rtol=0)


def test_forty_iterations_are_better_than_clipping_and_nearly_optimal(
        make_belief, make_preference, dynamics):
    hessian, target, curvature, free = problems(make_belief, make_preference, dynamics)

    def value(x):
        return (x * ((hessian @ x[..., None]).squeeze(-1) / 2 - target)).sum(-1)

    limit = 0.1
    clipped = clip(free, limit)
    quick = box_minimum(hessian, target, limit, clipped, curvature, 40)
    exact = box_minimum(hessian, target, limit, clipped, curvature, 2000)
    assert (value(quick) <= value(clipped) + 1e-9).all()
    assert (value(quick) - value(exact) <= 1e-2 * value(exact).abs()).all()


def test_wide_limits_change_nothing(make_belief, make_preference, dynamics):
    hessian, target, curvature, free = problems(make_belief, make_preference, dynamics)
    found = box_minimum(hessian, target, 1e6, free, curvature, 10)
    torch.testing.assert_close(found, free)
