# SPDX-License-Identifier: Apache-2.0
"""How a model came to be, told from records as runs keep them."""
import json

import pytest

from obai_ros.report.history import history, totals
from obai_ros.training.recipe import preset_path, read_recipe
from obai_ros.training.run import Hardware, train


@pytest.fixture(scope='module')
def record(tmp_path_factory):
    """Return the record of a run of two stages, of 4 steps and batches of 2 each."""
    folder = tmp_path_factory.mktemp('run')
    train(read_recipe(preset_path('smoke')), folder, seed=5,
          hardware=Hardware('cpu'), validate_every=100, say=lambda _: None)
    return json.loads((folder / 'smoke.json').read_text())['record']


def test_all_stages_of_all_runs_are_told_the_first_one_first(record):
    one_stage = {'stage': 'taught', 'seed': 6, 'steps': 3, 'sequences': 6}  # as of `obai teach`
    legs = history({**one_stage, 'before': record})
    assert [(leg.stage, leg.seed, leg.steps, leg.sequences) for leg in legs] == [
        ('coarse', 5, 4, 8), ('fine', 5, 4, 8), ('taught', 6, 3, 6)]
    assert sum(leg.seconds for leg in legs[:2]) == pytest.approx(record['seconds'])
    assert [leg.hardware for leg in legs] == [record['hardware']] * 2 + ['']
    coarse, fine, taught = legs
    assert taught.total_operations is taught.seconds is None
    assert fine.operations > coarse.operations > 0
    assert fine.total_operations == 8 * fine.operations
    total = totals(legs)
    assert (total['steps'], total['sequences']) == (11, 22)
    assert total['operations'] == 8 * (coarse.operations + fine.operations)
    assert total['operations_known_of'] == ['coarse', 'fine']
    json.dumps(total)


def test_a_run_that_was_stopped_within_a_stage_counts_as_far_as_it_came(record):
    legs = history({**record, 'step': 2, 'stages': record['stages'][:1]})
    assert [(leg.stage, leg.steps, leg.sequences) for leg in legs] == [
        ('coarse', 4, 8), ('fine', 2, 4)]


def test_what_a_record_does_not_tell_stays_open(record):
    """Such as that of another version, whose recipe is not understood."""
    legs = history({**record, 'recipe': {'stages': [{'name': 'coarse', 'colour': 'red'}]}})
    assert [(leg.stage, leg.steps, leg.sequences, leg.operations) for leg in legs] == [
        ('coarse', 4, None, None), ('fine', 4, None, None)]
    assert totals(legs)['operations'] is None and totals(legs)['steps'] == 8
    assert history({}) == [] and totals([])['steps'] is None


@pytest.mark.parametrize('change', [{'before': 'a word'}, {'stages': [3]}, {'stages': {'a': 1}}])
def test_a_record_of_another_kind_is_refused(record, change):
    with pytest.raises(ValueError, match='is not what a run keeps'):
        history({**record, **change})
