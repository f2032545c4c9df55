# SPDX-License-Identifier: Apache-2.0
"""Where the files that come with the package are: models/ and config/."""
from __future__ import annotations

import os
import sys
from pathlib import Path


def share_folder(name: str) -> Path:
    """
    Return the folder `name` of the checkout this module is in, or of an installed package.

    Raises FileNotFoundError, in a sentence that lists what was searched.
    """
    prefixes = [Path(entry) for entry in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
                if entry]
    searched = [Path(__file__).resolve().parents[1] / name] + [
        prefix / 'share' / 'obai_ros' / name for prefix in [*prefixes, Path(sys.prefix)]]
    for folder in searched:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f'the folder {name}/ of obai_ros was not found; searched '
                            + ', '.join(str(folder) for folder in searched))
