# SPDX-License-Identifier: Apache-2.0
"""
The direct engine compiled ahead of time, and kept for the next start.

Compiling takes half a minute for each length of window. A process of its own does it while the
direct engine works; the result goes to a folder of the user's cache, from which the next start
takes it within milliseconds. It depends on the weights, the number of threads, the processor and
the version of torch, and its folder's name on all of them.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from obai_ros.model import (decoding, describing, glimpse, interpolation, looking, percept,
                            refinement, traits)
from obai_ros.model.checkpoint import load_checkpoint, save_checkpoint
from obai_ros.model.engine import PERCEPT, POINTS, Direct
from obai_ros.model.obai import Obai

MODEL = 'model.safetensors'

AGREEMENT = 0.1
"""By how much lambda and the LSTM's state may differ between engines; rounding to bfloat16 makes
some .02."""

WRITTEN_OUT = (refinement, decoding, looking, interpolation, glimpse, describing, percept,
               traits)
"""Modules of which compiled code is made."""


class Compiled(Direct):
    """
    Runs compiled code for the shapes that it has it for, and the written-out code for others.

    shapes: (sequences, frames) of the windows to compile for, and (sequences, PERCEPT). say: takes
    a sentence when compiling begins and when its result is put to work; warn: one when it is not
    to be had. folder: where compiled code is kept; None: in the user's cache. fresh: compile what
    is not there yet. Raises ValueError for networks that are not written out.
    """

    name = 'compiled'

    def __init__(self, model: Obai, shapes: Sequence[tuple[int, int]],
                 say: Callable[[str], None], warn: Callable[[str], None],
                 folder: Path | None = None, fresh: bool = True):
        super().__init__(model)
        self._say, self._warn, self._shapes = say, warn, tuple(shapes)
        self._wrong: dict[tuple[int, int], str] = {}    # by shape, what is wrong with the code
        self._process: subprocess.Popen | None = None
        obstacle = _obstacle(model)
        if obstacle:
            warn(f'{obstacle}: the direct engine takes over')
            return
        self.folder = (folder or cache_folder()) / fingerprint(model)
        self._load()
        if self.missing and fresh:
            self._begin()

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Return the shapes for which there is no compiled code yet."""
        return [shape for shape in self._shapes if shape not in self.prepared]

    def for_shape(self, batch: int, frames: int) -> Callable[..., tuple[Tensor, ...]]:
        if self._process is not None and self._process.poll() is not None:
            self._finish()
        return super().for_shape(batch, frames)

    def wait(self) -> None:
        """Return when compiling has ended, well or not."""
        if self._process is not None:
            self._process.wait()
            self._finish()

    def close(self) -> None:
        """Stop compiling."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _load(self) -> None:
        self._wrong.clear()
        for shape in self.missing:
            path = artefact(self.folder, shape)
            if not path.exists():
                continue
            try:
                code = torch._inductor.aoti_load_package(str(path))
                # Compilers err, too.
                right = agrees(code, self.written_out(shape[1]), example(self.model, shape))
            except RuntimeError as error:  # half a file, say
                self._wrong[shape] = f'cannot be loaded ({str(error).splitlines()[0]})'
                path.unlink()
                continue
            if right:
                self.prepared[shape] = _of_contiguous(code)
            else:
                self._wrong[shape] = 'gives other results than it should'
                path.unlink()

    def _begin(self) -> None:
        """Compile what is missing in another process, at low priority."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / MODEL).exists():
                save_checkpoint(self.folder / MODEL, self.model, {})
            errors = open(self.folder / 'errors.txt', 'wb')
        except OSError as error:
            self._warn(f'compiled code cannot be kept ({error}): the direct engine takes over')
            return
        with errors:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'obai_ros.model.compiled', str(self.folder),
                 self.model.precision, json.dumps(self.missing)],
                stdin=subprocess.PIPE, stdout=errors, stderr=errors,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
                     'OMP_NUM_THREADS': str(torch.get_num_threads()),
                     'TORCHINDUCTOR_COMPILE_THREADS': '1'})
        self._say('compiling for this processor, for a minute or so; until then the direct '
                  'engine works')

    def _finish(self) -> None:
        self._process.stdin.close()
        status, self._process = self._process.returncode, None
        self._load()
        if self._wrong:
            wrong = '; '.join(f'for {shape} it {fault}' for shape, fault in self._wrong.items())
            self._warn(f'compiled code for windows of (sequences, frames) is of no use: {wrong}; '
                       f'the direct engine goes on')
        elif self.missing:
            lines = (self.folder / 'errors.txt').read_text(errors='replace').split('\n')
            last = next((line for line in reversed(lines) if line.strip()), 'it said nothing')
            self._warn(f'compiling ended with status {status} ({last.strip()}): the direct engine '
                      f'goes on; all it said is in {self.folder}/errors.txt')
        else:
            self._say('compiled code is at work from now on')


def _of_contiguous(code: Callable) -> Callable[..., tuple[Tensor, ...]]:
    """Return code that takes for granted how tensors lie in memory, for tensors of any kind."""
    return lambda *tensors: tuple(code(*(tensor.contiguous() for tensor in tensors)))


def cache_folder() -> Path:
    """Return the folder for compiled code, in $XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'obai_ros'


def artefact(folder: Path, shape: tuple[int, int]) -> Path:
    """Return the file of the code for windows of (sequences, frames)."""
    return folder / f'{shape[0]}x{shape[1]}.pt2'


def fingerprint(model: Obai) -> str:
    """Return 16 digits that tell apart all that compiled code depends on."""
    digest = hashlib.sha256(save({name: value.cpu().contiguous()
                                  for name, value in model.state_dict().items()}))
    cpu = Path('/proc/cpuinfo')
    flags = next((line for line in cpu.read_text().splitlines() if line.startswith('flags')),
                 '') if cpu.exists() else ''
    for part in (json.dumps(model.config.to_dict()), model.precision, torch.__version__,
                 str(torch.get_num_threads()), flags, str(POINTS),
                 *(Path(module.__file__).read_text() for module in WRITTEN_OUT)):
        digest.update(part.encode() + b'\0')
    return digest.hexdigest()[:16]


def _obstacle(model: Obai) -> str:
    """Return why code for this model cannot be compiled here, '' if it can."""
    if model.device.type != 'cpu':
        return f'code is compiled for the CPU only, not for {model.device}'
    compiler = os.environ.get('CXX', 'g++')
    if shutil.which(compiler) is None:
        return f'there is no C++ compiler ({compiler}) on PATH to compile with'
    return ''


@torch.no_grad()
def agrees(code: Callable, written_out: Callable, inputs: tuple[Tensor, ...]) -> bool:
    """Tell whether code does what the written-out code does."""
    # What is compared are lambda and the LSTM's state, or all that shows where slots are.
    return all(bool(((mine - other).abs() < AGREEMENT).all())
               for mine, other in zip(written_out(*inputs)[:3], code(*inputs)[:3]))


def example(model: Obai, shape: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return inputs of what is compiled for a shape: noise to begin with."""
    batch, frames = shape[0], shape[1] or 1
    config = model.config
    slots, size = config.num_slots, config.latent_size
    generator = torch.Generator().manual_seed(0)

    def noise(*sizes: int) -> Tensor:
        return torch.randn(batch, frames, *sizes, generator=generator)

    if shape[1] == PERCEPT:
        return (noise(slots, size)[:, 0],
                noise(3, config.image_size, config.image_size)[:, 0].sigmoid())
    return (
        noise(config.image_size, 3, config.image_size).sigmoid(),
        model.initial.detach().expand(batch, frames, slots, 4 * size).clone(),
        noise(slots, config.hidden_size).tanh(), noise(slots, config.hidden_size),
        noise(slots, size), torch.tensor(False),
        torch.zeros(batch, slots, 4 * size), torch.zeros(batch, slots, 4),
        torch.zeros(batch, frames - 1, POINTS, dtype=torch.long),
        torch.zeros(batch, frames - 1, POINTS, 2))


def compile_for(model: Obai, shape: tuple[int, int], path: Path) -> None:
    """Write the code for a shape to a file, whole or not at all."""
    with torch.no_grad(), tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        program = torch.export.export(Direct(model).written_out(shape[1]).eval(),
                                      example(model, shape))
        written = torch._inductor.aoti_compile_and_package(
            program, package_path=str(Path(scratch) / 'code.pt2'),
            inductor_configs={'freezing': True})
        os.replace(written, path)


def _end_with_whoever_began() -> None:
    """End, compilers included, when nobody holds the other end of the standard input any more."""
    os.read(0, 1)  # not sys.stdin: whoever ends while a thread waits for that crashes
    os.killpg(0, signal.SIGKILL)


def main(folder: str, precision: str, shapes: str) -> None:
    """Compile for the model in a folder; what another process has compiled is left alone."""
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_whoever_began, daemon=True).start()
    os.nice(10)
    with open(Path(folder) / 'lock', 'w') as lock, tempfile.TemporaryDirectory() as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ['TORCHINDUCTOR_CACHE_DIR'] = scratch
        model = load_checkpoint(Path(folder) / MODEL, precision=precision).model
        for shape in json.loads(shapes):
            path = artefact(Path(folder), shape)
            if not path.exists():
                compile_for(model, tuple(shape), path)


if __name__ == '__main__':
    main(*sys.argv[1:])
