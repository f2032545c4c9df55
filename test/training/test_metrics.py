# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from obai_ros.training.metrics import adjusted_rand_index
from obai_ros.training.matching import matched_slots, overlap

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60)


@settings(deadline=None, max_examples=200)
@given(labels)
def test_ari_is_that_of_scikit_learn(pairs):
    true, predicted = (torch.tensor(column) for column in zip(*pairs))
    found = adjusted_rand_index(true[None], predicted[None])[0]
    assert float(found) == pytest.approx(adjusted_rand_score(true, predicted), abs=1e-9)


@settings(deadline=None, max_examples=200)
@given(labels)
def test_fari_is_scikit_learns_ari_of_the_foreground(pairs):
    true, predicted = (torch.tensor(column) for column in zip(*pairs))
    found = float(adjusted_rand_index(true[None], predicted[None], foreground_only=True)[0])
    keep = true > 0
    if not keep.any():
        assert math.isnan(found)
    elif keep.sum() > 1:
        expected = adjusted_rand_score(true[keep], predicted[keep])
        assert found == pytest.approx(expected, abs=1e-9)


def test_segmentations_are_scored_one_by_one():
    true = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 2]])
    predicted = torch.tensor([[2, 2, 0, 0], [0, 0, 1, 1]])
    both = adjusted_rand_index(true, predicted)
    alone = adjusted_rand_index(true[1:], predicted[1:])
    assert float(both[0]) == 1.0 and float(both[1]) == float(alone[0]) < 1.0


def test_slots_are_matched_to_what_they_cover():
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[0, :3, :3], labels[0, 5:, 5:] = 1, 2
    masks = torch.zeros(1, 4, 8, 8)
    masks[0, 2, :3, :3] = 1.0  # exactly object 1
    masks[0, 0, 5:, 4:6] = 1.0  # 3 of the 9 pixels of object 2, and 3 others: IoU 3 / 12
    masks[0, 3] = 0.5
    slot, iou = matched_slots(masks, labels, 3, torch.tensor([3]))
    assert slot.tolist() == [[2, -1, -1]]
    assert iou[0].tolist() == pytest.approx([1.0, 0.25, 0.0])
    assert overlap(masks.argmax(1), labels, 4, 2).shape == (1, 2, 4)


def test_the_background_slot_is_never_matched():
    labels = torch.ones(1, 4, 4, dtype=torch.uint8)
    masks = torch.zeros(1, 2, 4, 4)
    masks[0, 1] = 1.0
    assert matched_slots(masks, labels, 1, torch.tensor([1]))[0].tolist() == [[-1]]
    assert matched_slots(masks, labels, 1, torch.tensor([0]))[0].tolist() == [[1]]
