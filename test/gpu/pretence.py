# SPDX-License-Identifier: Apache-2.0
"""
A GPU that is not there: tensors say that they are on one, and the CPU computes.

It holds code to what a GPU would hold it to: operands are on one device, random numbers come from
a generator of that device, and nothing is read without a copy. It counts what a host would wait
for. It knows nothing of kernels, streams and CUDA graphs.

A torch that was built without CUDA lets no tensor claim to be on 'cuda' and have gradients; so the
device is called 'meta'.
"""
from collections import Counter
from contextlib import contextmanager, nullcontext
import traceback
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing, TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device('meta')
CPU = torch.device('cpu')

aten = torch.ops.aten
READING = (aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default,
           aten._unique2.default, aten.equal.default)
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
            aten._index_put_impl_.default)

waits = Counter()
"""Where in obai_ros a host waited until the GPU had done all that it had been given."""


class WrongDevice(RuntimeError):
    """What a GPU would refuse."""


class OnGpu(torch.Tensor):
    """A tensor that says it is on the GPU; what it holds is on the CPU."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device=GPU)

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _obey(function, args, kwargs or {})


class Operations(TorchDispatchMode):
    """Looks at every operation, those that make tensors out of nothing included."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _obey(function, args, kwargs or {})


class Conversions(TorchFunctionMode):
    """Looks at what goes between tensors and Python, which operations do not show."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(function, '__name__', '')
        if name in ('tensor', 'as_tensor') and _is_gpu(kwargs.get('device')):
            return _bring(torch.as_tensor, args, {**kwargs, 'device': CPU})
        if name == 'new_tensor' and isinstance(args[0], OnGpu):
            return _bring(torch.as_tensor, args[1:], {'dtype': args[0].dtype, **kwargs})
        if kwargs.get('generator') is not None:
            _check_generator(name, args, kwargs)
        if not args or not isinstance(args[0], OnGpu):
            return function(*args, **kwargs)
        if name == '__getitem__':
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = args[0], tuple(_bring(torch.tensor, (each,), {}) if isinstance(each, list)
                                  else each for each in index)
        elif name == 'tolist':
            return _wait(args[0]).tolist()
        elif name in ('numpy', '__array__'):
            raise WrongDevice('a tensor on the GPU cannot be read as an array: copy it first')
        return function(*args, **kwargs)


class Generator(torch.Generator):
    """A generator that knows whose it is."""

    def __new__(cls, device='cpu'):
        made = super().__new__(cls)
        made.is_gpu = _is_gpu(device)
        return made

    @property
    def device(self):
        return GPU if self.is_gpu else CPU


@contextmanager
def pretended_gpu():
    """Let there be a GPU; yields `waits`, of none yet."""
    waits.clear()
    autocast = torch.autocast
    with (mock.patch('torch.Generator', Generator),
          mock.patch('torch.autocast', lambda device, **options: nullcontext()
                     if _is_gpu(device) else autocast(device, **options)),
          Operations(), Conversions()):
        yield waits


def _obey(function, args, kwargs):
    with torch.inference_mode(False), torch.no_grad():
        return _compute(function, args, kwargs)


def _compute(function, args, kwargs):
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    mine = [tensor for tensor in tensors if isinstance(tensor, OnGpu)]
    if not mine and not _is_gpu(kwargs.get('device')):
        return function(*args, **kwargs)
    if function is aten.copy_.default:
        return _copied_into(*args[:2])
    if function is aten._to_copy.default:
        return _copied(args[0], kwargs)
    if function in INDEXING:
        _check_index(function, *args[:3])
    else:
        _check_operands(function, tensors)
    if function in READING:
        _note()
    device = {'device': CPU} if kwargs.get('device') is not None else {}
    found = function(*tree_map(_held, args), **{**tree_map(_held, kwargs), **device})
    if function in (aten._local_scalar_dense.default, aten.equal.default):
        return found
    found = tree_map(lambda leaf: OnGpu(leaf) if isinstance(leaf, torch.Tensor) else leaf, found)
    return return_and_correct_aliasing(function, args, kwargs, found)


def _check_generator(name, args, options):
    beside = next((each.device for each in args if isinstance(each, torch.Tensor)), CPU)
    if _is_gpu(options.get('device') or beside) != _is_gpu(options['generator'].device):
        raise WrongDevice(f"{name} got a generator of another device than its numbers are on")


def _check_operands(function, tensors):
    # A number, as a tensor without dimensions, may come from the CPU.
    strangers = [tensor for tensor in tensors
                 if not isinstance(tensor, OnGpu) and tensor.ndim > 0]
    if strangers and any(isinstance(tensor, OnGpu) for tensor in tensors):
        raise WrongDevice(f'{function} got tensors of the GPU and one of the CPU, of shape '
                          f'{tuple(strangers[0].shape)}')


def _check_index(function, indexed, index, *rest):
    _check_operands(function, [indexed, *(each for each in rest
                                          if isinstance(each, torch.Tensor))])
    if not isinstance(indexed, OnGpu):
        raise WrongDevice(f'{function} got an index on the GPU for a tensor that is not')
    for each in index:
        # How many a mask selects has to be known, and what is on the CPU has to be brought.
        if each is not None and (each.dtype == torch.bool or not isinstance(each, OnGpu)):
            _note()


def _copied(source, options):
    there = options.get('device')
    to_gpu = isinstance(source, OnGpu) if there is None else _is_gpu(there)
    if not to_gpu and not options.get('non_blocking'):
        _note()
    copied = aten._to_copy.default(_held(source), **{**options, 'device': CPU})
    return OnGpu(copied) if to_gpu else copied


def _copied_into(target, source):
    if not isinstance(target, OnGpu):
        _note()
    aten.copy_.default(_held(target), _held(source))
    return target


def _bring(make, args, options):
    """Make a tensor of numbers and bring it to the GPU, for which a host waits."""
    _note()
    return make(*args, **options).to(GPU)


def _wait(tensor):
    _note()
    return _held(tensor)


def _note():
    waits[_place()] += 1


def _place():
    """Return where in obai_ros that is."""
    for frame in reversed(traceback.extract_stack()):
        _, inside, place = frame.filename.rpartition('/obai_ros/')
        if inside:
            return f'{place}:{frame.name}'
    return 'elsewhere'


def _held(value):
    if isinstance(value, torch.Tensor) and value.is_meta and not isinstance(value, OnGpu):
        raise AssertionError('a tensor was made on the GPU and nobody noticed: pretence.py misses '
                             'a way to make tensors')
    return value.held if isinstance(value, OnGpu) else value


def _is_gpu(device):
    return device is not None and torch.device(device).type == GPU.type
