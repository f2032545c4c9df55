# SPDX-License-Identifier: Apache-2.0
"""The command that makes a goal bank, whole, for the words of errors."""
from __future__ import annotations

from pathlib import Path
import shlex

ENDING = '.goals.safetensors'
"""Of a bank; NAME.goals.safetensors lies beside NAME.safetensors, the weights it is of."""


def bank_command(bank: str | Path | None, weights: str | Path | None = None,
                 larger: bool = False) -> str:
    """
    Return what to type to make a bank.

    bank: its file, which need not be there; None: of a bank that came from no file. weights: of
    the model that it is for; None: those that it lies beside, WEIGHTS where there are none.
    larger: of more objects than the one that is there.
    """
    if bank is not None and weights is None and str(bank).endswith(ENDING):
        neighbour = Path(str(bank).removesuffix(ENDING) + '.safetensors')
        weights = neighbour if neighbour.is_file() else None
    words = ['obai', 'learn-goals']
    words += ['--checkpoint', 'WEIGHTS' if weights is None else str(weights)]
    if bank is not None and (weights is None or Path(bank) != beside(weights)):
        words += ['--out', str(bank)]
    elif bank is not None and Path(bank).exists():
        words += ['--force']
    return shlex.join(words + (['--objects', 'N'] if larger else []))


def beside(weights: str | Path) -> Path:
    """Return where the bank of weights is, unless another place was named."""
    return Path(weights).with_suffix(ENDING)
