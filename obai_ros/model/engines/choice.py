# SPDX-License-Identifier: Apache-2.0
"""Which engine a model gets."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from obai_ros.model.engine import Engine
from obai_ros.model.engines.compiled import Compiled
from obai_ros.model.engines.direct import Direct
from obai_ros.model.engines.graphs import Graphs
from obai_ros.model.engines.part import PARTS, Part
from obai_ros.model.engines.refining import supports
from obai_ros.model.obai import Obai

ENGINES = ('auto', 'reference', 'direct', 'compiled', 'graphs')


def direct_engine(model: Obai) -> Engine:
    """Return the fastest engine for a model that needs no preparation."""
    return Direct(model) if supports(model) else Engine()


def make_engine(name: str, model: Obai, say: Callable[[str], None], warn: Callable[[str], None],
                parts: Sequence[Part] = PARTS) -> Engine:
    """
    Return the engine of that name for a model, or the best there is, and say why.

    name: one of ENGINES; auto: compiled if code for these parts is in the user's cache, otherwise
    graphs on a GPU and direct elsewhere, as far as the model's networks allow. parts: what it is
    to be fast for, see `part.parts_of`. say, warn: take sentences
    about how compiling goes, and about what could not be had. Raises ValueError for an unknown
    name.
    """
    if name not in ENGINES:
        raise ValueError(f'engine is {name!r}: expected one of {", ".join(ENGINES)}')
    if name == 'reference' or not supports(model):
        if name not in ('auto', 'reference'):
            warn(f'there is no {name} engine for the networks of the preset '
                 f'{model.config.preset!r}: the reference engine takes over')
        return Engine()
    if name == 'direct':
        return Direct(model)
    if name == 'compiled':
        return Compiled(model, parts, say, warn)
    if name == 'auto':
        # No warnings: nobody asked for compiled code, it is only taken where it lies ready.
        kept = Compiled(model, parts, say, lambda sentence: None, fresh=False)
        if not kept.missing:
            return kept
    if name == 'graphs' or model.device.type == 'cuda':
        return Graphs(model, parts, warn)
    return Direct(model)
