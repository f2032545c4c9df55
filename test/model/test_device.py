# SPDX-License-Identifier: Apache-2.0
"""Names of devices and precisions, and what becomes of them on a machine that lacks one."""
import pytest
import torch

from obai_ros.model import device
from obai_ros.model.device import choose_device, choose_precision

CPU = torch.device('cpu')


@pytest.mark.parametrize('name, able, precision', [
    ('auto', True, 'bfloat16'), ('auto', False, 'float32'), ('float32', True, 'float32'),
    ('float32', False, 'float32'), ('bfloat16', True, 'bfloat16')])
def test_precision_is_what_was_asked_for_where_there_is_such(monkeypatch, name, able, precision):
    monkeypatch.setattr(device, '_computes_bfloat16', lambda device: able)
    assert choose_precision(name, CPU) == (precision, '')


def test_the_reference_takes_over_with_a_warning(monkeypatch):
    monkeypatch.setattr(device, '_computes_bfloat16', lambda device: False)
    precision, warning = choose_precision('bfloat16', CPU)
    assert precision == 'float32' and 'not supported by this cpu device' in warning


def test_what_was_asked_for_by_name_is_emulated_with_a_warning(monkeypatch):
    monkeypatch.setattr(device, '_computes_bfloat16', lambda device: False)
    precision, warning = choose_precision('bfloat16', CPU, emulate=True)
    assert precision == 'bfloat16' and 'several times as long as float32' in warning
    assert choose_precision('auto', CPU, emulate=True) == ('float32', '')
    monkeypatch.setattr(device, '_computes_bfloat16', lambda device: True)
    assert choose_precision('bfloat16', CPU, emulate=True) == ('bfloat16', '')


def test_a_version_of_torch_that_does_not_tell_is_taken_to_lack_it(monkeypatch):
    for name in ('_is_avx512_bf16_supported', '_is_amx_tile_supported'):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert choose_precision('auto', CPU) == ('float32', '')


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="'int8': expected one of auto, float32, bfloat16"):
        choose_precision('int8', CPU)
    with pytest.raises(ValueError, match='expected auto, cpu, cuda or cuda:N'):
        choose_device('gpu')
