# SPDX-License-Identifier: Apache-2.0
"""
The direct engine compiled ahead of time, and kept for the next start.

Compiling takes a minute or so for all parts. A process of its own does it while another engine
works; the result goes to a folder of the user's cache, from which the next start takes it
within milliseconds. It depends on the weights, the number of threads, the processor and the
version of torch, and its folder's name on all of them. On a GPU fewer kernels are left, and those
are recorded (`graphs`); until then, recordings of the written-out code work.
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

from obai_ros.model import (belief, contact, dynamics, glimpse, object_action, percept, traits,
                            velocity)
from obai_ros.model.checkpoint import load_checkpoint, save_checkpoint
from obai_ros.model.engines import (decoding, describing, expecting, interpolation, looking,
                                    moving, refining)
from obai_ros.model.engines.agreement import agrees, example
from obai_ros.model.engines.direct import Direct
from obai_ros.model.engines.graphs import Graphs, Recording
from obai_ros.model.engines.part import POINTS, Part
from obai_ros.model.obai import Obai

MODEL = 'model.safetensors'

WRITTEN_OUT = (refining, decoding, looking, interpolation, glimpse, describing, percept,
               traits, contact, expecting, moving, velocity, dynamics, object_action, belief)
"""Modules of which compiled code is made."""


class Compiled(Direct):
    """
    Runs compiled code for the parts that it has it for, and the written-out code for others.

    parts: what to compile. say: takes a sentence when compiling begins and when its result is put
    to work; warn: one when it is not to be had. folder: where compiled code is kept; None: in the
    user's cache. fresh: compile what is not there yet. record: as in `Graphs`; None: on a GPU
    only. Raises ValueError for networks that are not written out.
    """

    name = 'compiled'

    def __init__(self, model: Obai, parts: Sequence[Part],
                 say: Callable[[str], None], warn: Callable[[str], None],
                 folder: Path | None = None, fresh: bool = True, record: Callable | None = None):
        super().__init__(model)
        self._say, self._warn, self._parts = say, warn, tuple(parts)
        recorded = record is not None or model.device.type == 'cuda'
        self._ready = (record or Recording) if recorded else _of_contiguous
        self._compiled: set[Part] = set()
        self._wrong: dict[Part, str] = {}    # what is wrong with the code
        self._process: subprocess.Popen | None = None
        self.until = Direct.name
        if recorded and fresh:
            self.prepared |= Graphs(model, parts, warn, record).prepared
            self.until = Graphs.name if self.prepared else Direct.name
        self.folder = (folder or cache_folder()) / fingerprint(model)
        self._load()
        if self.missing and fresh:
            obstacle = _obstacle()
            if obstacle:
                warn(f'{obstacle}: the {self.until} engine takes over')
            else:
                self._begin()

    @property
    def missing(self) -> list[Part]:
        """Return the parts for which there is no compiled code yet; `until` is what works."""
        return [part for part in self._parts if part not in self._compiled]

    @property
    def working(self) -> str:
        return self.until if self.missing else self.name

    def code(self, part: Part, points: int = POINTS) -> Callable[..., tuple[Tensor, ...]]:
        if self._process is not None and self._process.poll() is not None:
            self._finish()
        return super().code(part, points)

    def wait(self) -> None:
        """Return when compiling has ended, well or not."""
        if self._process is not None:
            self._process.wait()
            self._finish()

    def close(self) -> None:
        """Stop compiling, and let go of compiled code."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None
        super().close()

    def _load(self) -> None:
        self._wrong.clear()
        for part in self.missing:
            path = artefact(self.folder, part)
            if not path.exists():
                continue
            try:
                code = self._ready(load_code(path, self.model.device), example(self.model, part))
                # Compilers err, too.
                right = agrees(code, self.written_out(part), self.model, part)
            except RuntimeError as error:  # half a file, say
                self._wrong[part] = f'cannot be put to work ({str(error).splitlines()[0]})'
                path.unlink(missing_ok=True)
                continue
            if right:
                self.prepared[part] = code
                self._compiled.add(part)
            else:
                self._wrong[part] = 'gives other results than it should'
                path.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Compile what is missing in another process, at low priority."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / MODEL).exists():
                save_checkpoint(self.folder / MODEL, self.model, {})
            errors = open(self.folder / 'errors.txt', 'wb')
        except OSError as error:
            self._warn(f'compiled code cannot be kept ({error}): the {self.until} engine takes '
                       'over')
            return
        with errors:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'obai_ros.model.engines.compiled', str(self.folder),
                 self.model.precision, str(self.model.device), json.dumps(self.missing)],
                stdin=subprocess.PIPE, stdout=errors, stderr=errors,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
                     'OMP_NUM_THREADS': str(torch.get_num_threads()),
                     'TORCHINDUCTOR_COMPILE_THREADS': '1'})
        self._say(f'compiling for this processor, for a minute or so; until then the {self.until} '
                  f'engine works')

    def _finish(self) -> None:
        self._process.stdin.close()
        status, self._process = self._process.returncode, None
        self._load()
        if self._wrong:
            wrong = '; '.join(f'that to {part} {fault}' for part, fault in self._wrong.items())
            self._warn(f'compiled code is of no use: {wrong}: '
                       f'the {self.until} engine goes on')
        elif self.missing:
            lines = (self.folder / 'errors.txt').read_text(errors='replace').split('\n')
            last = next((line for line in reversed(lines) if line.strip()), 'it said nothing')
            self._warn(f'compiling ended with status {status} ({last.strip()}): the {self.until} '
                      f'engine goes on; all it said is in {self.folder}/errors.txt')
        else:
            self._say('compiled code is at work from now on')


def load_code(path: Path, device: torch.device) -> Callable[..., tuple[Tensor, ...]]:
    """Return compiled code from a file. Raises RuntimeError if there is something else in it."""
    # An engine runs in one thread, and waiting for others cannot be recorded.
    code = torch._inductor.aoti_load_package(
        str(path), run_single_threaded=True,
        device_index=-1 if device.index is None else device.index)
    # A call of the code itself finds out each time how its arguments are nested; ours are not.
    return lambda *tensors: tuple(code.loader.boxed_run(list(tensors)))


def _of_contiguous(code: Callable, inputs: tuple[Tensor, ...]
                   ) -> Callable[..., tuple[Tensor, ...]]:
    """
    Return code that takes for granted how tensors lie in memory, for tensors of any kind.

    inputs: not needed, unlike for a `Recording`.
    """
    return lambda *tensors: tuple(code(*(tensor.contiguous() for tensor in tensors)))


def cache_folder() -> Path:
    """Return the folder for compiled code, in $XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'obai_ros'


def artefact(folder: Path, part: Part) -> Path:
    """Return the file of the code that does a part."""
    return folder / f'{part.does}_{part.batch}x{part.frames}.pt2'


def fingerprint(model: Obai) -> str:
    """Return 16 digits that tell apart all that compiled code depends on."""
    digest = hashlib.sha256(save({name: value.cpu().contiguous()
                                  for name, value in model.state_dict().items()}))
    cpu = Path('/proc/cpuinfo')
    flags = next((line for line in cpu.read_text().splitlines() if line.startswith('flags')),
                 '') if cpu.exists() else ''
    gpu = torch.cuda.get_device_name(model.device) if model.device.type == 'cuda' else ''
    for part in (json.dumps(model.config.to_dict()), model.precision, torch.__version__,
                 str(torch.get_num_threads()), flags, gpu, str(POINTS),
                 *(Path(module.__file__).read_text() for module in WRITTEN_OUT)):
        digest.update(part.encode() + b'\0')
    return digest.hexdigest()[:16]


def _obstacle() -> str:
    """Return why code cannot be compiled here, '' if it can."""
    compiler = os.environ.get('CXX', 'g++')
    if shutil.which(compiler) is None:
        return f'there is no C++ compiler ({compiler}) on PATH to compile with'
    return ''


def compile_part(model: Obai, part: Part, path: Path) -> None:
    """Write the code that does a part to a file, whole or not at all."""
    with torch.no_grad(), tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        program = torch.export.export(Direct(model).written_out(part).eval(),
                                      example(model, part))
        written = torch._inductor.aoti_compile_and_package(
            program, package_path=str(Path(scratch) / 'code.pt2'),
            inductor_configs={'freezing': True})
        os.replace(written, path)


def _end_with_whoever_began() -> None:
    """End, compilers included, when nobody holds the other end of the standard input any more."""
    os.read(0, 1)  # not sys.stdin: whoever ends while a thread waits for that crashes
    os.killpg(0, signal.SIGKILL)


def main(folder: str, precision: str, device: str, parts: str) -> None:
    """Compile for the model in a folder; what another process has compiled is left alone."""
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_whoever_began, daemon=True).start()
    os.nice(10)
    with open(Path(folder) / 'lock', 'w') as lock, tempfile.TemporaryDirectory() as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ['TORCHINDUCTOR_CACHE_DIR'] = scratch
        model = load_checkpoint(Path(folder) / MODEL, device, precision).model
        for part in (Part(*values) for values in json.loads(parts)):
            path = artefact(Path(folder), part)
            if not path.exists():
                compile_part(model, part, path)


if __name__ == '__main__':
    main(*sys.argv[1:])
