# SPDX-License-Identifier: Apache-2.0
"""The engine to be measured, ready, and no other in its place."""
from __future__ import annotations

from collections.abc import Sequence

from obai_ros.model.engine import Engine, make_engine
from obai_ros.model.obai import Obai


def ready_engine(name: str, model: Obai, shapes: Sequence[tuple[int, int]]) -> tuple[Engine, str]:
    """
    Return what refines beliefs and the name of what it is: one of `engine.ENGINES` but auto.

    name: any of those. shapes: of what is to come, see `engine.shapes_of`. Code that was asked for
    is compiled before this returns, half a minute for each shape that has not been
    compiled before. Raises RuntimeError, in a sentence, when the engine that was asked for is not
    to be had: a node goes on with another, a benchmark must not.
    """
    warned: list[str] = []
    engine = make_engine(name, model, lambda sentence: None, warned.append, shapes)
    found = engine.name
    if found == 'compiled':
        engine.wait()
        if engine.missing:
            found = engine.until
    if found == 'graphs' and not set(shapes) <= set(engine.shapes):
        found = 'direct'
    if name not in ('auto', found):
        raise RuntimeError(f'engine {name} cannot be measured: {warned[-1]}, in a node')
    return engine, found
