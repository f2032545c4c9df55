# SPDX-License-Identifier: Apache-2.0
"""Where packages are installed, and the files that come with this one: models/ and config/."""
from __future__ import annotations

import os
import sys
from pathlib import Path


def prefixes() -> list[Path]:
    """
    Return where packages are installed, what comes first counts.

    Those of AMENT_PREFIX_PATH, as sourcing a workspace sets it, and the environment of this
    interpreter, where the wheels are.
    """
    listed = [Path(entry) for entry in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
              if entry]
    here = Path(sys.prefix)
    return listed if here in listed else [*listed, here]


def share_folder(name: str) -> Path:
    """
    Return the folder `name` of the checkout this module is in, or of an installed package.

    Raises FileNotFoundError, in a sentence that lists what was searched.
    """
    searched = [Path(__file__).resolve().parents[1] / name] + [
        prefix / 'share' / 'obai_ros' / name for prefix in prefixes()]
    for folder in searched:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f'the folder {name}/ of obai_ros was not found; searched '
                            + ', '.join(str(folder) for folder in searched))
