# SPDX-License-Identifier: Apache-2.0
"""Measures of segmentation, per frame: adjusted Rand index over all or foreground pixels."""
from __future__ import annotations

import torch
from torch import Tensor


def contingency(true: Tensor, predicted: Tensor, weight: Tensor) -> Tensor:
    """
    Return [S, n_true, n_predicted]: weighted counts of pixels with each pair of labels.

    true, predicted: [S, M] integer labels from 0. weight: [S, M].
    """
    n_true = int(true.max()) + 1 if true.numel() else 1
    n_predicted = int(predicted.max()) + 1 if predicted.numel() else 1
    pair = true.long() * n_predicted + predicted.long()
    table = torch.zeros(len(true), n_true * n_predicted, dtype=torch.float64,
                        device=true.device)
    table.scatter_add_(1, pair, weight.to(torch.float64))
    return table.view(len(true), n_true, n_predicted)


def adjusted_rand_index(true: Tensor, predicted: Tensor, foreground_only: bool = False
                        ) -> Tensor:
    """
    Return [S] float64: the ARI of S segmentations (Hubert & Arabie 1985).

    true: [S, M], 0 = background. predicted: [S, M]. foreground_only: count only pixels whose
    true label is not 0 (FARI). One is returned where both partitions are a single cluster, as
    scikit-learn does, and NaN where there is no pixel to count.
    """
    weight = (true > 0) if foreground_only else torch.ones_like(true, dtype=torch.bool)
    table = contingency(true, predicted, weight)

    def pairs(count: Tensor) -> Tensor:
        return count * (count - 1.0) / 2.0

    pixels = table.sum((1, 2))
    together = pairs(table).sum((1, 2))
    in_true = pairs(table.sum(2)).sum(1)
    in_predicted = pairs(table.sum(1)).sum(1)
    chance = in_true * in_predicted / pairs(pixels).clamp(min=1.0)
    best = 0.5 * (in_true + in_predicted)
    index = (together - chance) / (best - chance)
    index = torch.where((best - chance).abs() < 1e-12, torch.ones_like(index), index)
    return torch.where(pixels > 0, index, torch.nan)
