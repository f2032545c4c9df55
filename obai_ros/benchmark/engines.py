# SPDX-License-Identifier: Apache-2.0
"""The engine to be measured, ready, and no other in its place."""
from __future__ import annotations

from collections.abc import Sequence

from obai_ros.model.engine import Engine
from obai_ros.model.engines.choice import make_engine
from obai_ros.model.engines.part import Part
from obai_ros.model.obai import Obai


def ready_engine(name: str, model: Obai, parts: Sequence[Part]) -> tuple[Engine, str]:
    """
    Return what refines beliefs and the name of what it is: one of `choice.ENGINES` but auto.

    name: any of those. parts: of what is to come, see `part.parts_of`. Code that was asked for is
    compiled before this returns, a minute or so if it has not been before. Raises RuntimeError,
    in a sentence, when the engine that was asked for is not to be had: a node goes on with
    another, a benchmark must not.
    """
    warned: list[str] = []
    engine = make_engine(name, model, lambda sentence: None, warned.append, parts)
    if engine.name == 'compiled':
        engine.wait()
    found = engine.working
    if name not in ('auto', found):
        raise RuntimeError(f'engine {name} cannot be measured: {warned[-1]}, in a node')
    return engine, found
