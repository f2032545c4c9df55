# SPDX-License-Identifier: Apache-2.0
"""Where weights are and what computes: the parameters `checkpoint` and `device` in effect."""

import os
import pathlib

from ament_index_python.packages import get_package_share_directory, PackageNotFoundError

from obai_ros.nodes.managed_node import ConfigureError


def load_model(name: str, device='cpu', precision='float32'):
    """Load the weights that the parameter `checkpoint` names; '' means the bundled ones.

    name: as for locate(), or the name of bundled ones; precision: of the convolutions. Returns
    the path of the weights and the Checkpoint. Raises ConfigureError with the remedy when they
    are missing or damaged.
    """
    from obai_ros.model.checkpoint import checkpoint_path, CheckpointError, load_checkpoint
    try:
        path = checkpoint_path(locate(name) if name else None)
        return path, load_checkpoint(path, device, precision)
    except CheckpointError as error:
        raise ConfigureError(
            f'{_sentence(error)} Set the parameter checkpoint to weights (.safetensors with its '
            ".json beside), or to '' for the bundled model.") from error


def choose_device(name: str):
    """Return the torch.device that the parameter `device` asks for: auto, cpu, cuda or cuda:N.

    Raises ConfigureError when that device is not there.
    """
    from obai_ros.model import device
    try:
        return device.choose_device(name)
    except ValueError as error:
        raise ConfigureError(_sentence(error)) from error


def locate(name: str) -> pathlib.Path:
    """Return the path that a parameter names.

    name: a path, file://<path>, or package://<package>/<path in its share directory>. Raises
    ConfigureError when there is no such package.
    """
    name = name.removeprefix('file://')
    if not name.startswith('package://'):
        return pathlib.Path(os.path.expanduser(name))  # as it is where there is no such home
    package, _, rest = name.removeprefix('package://').partition('/')
    try:
        return pathlib.Path(get_package_share_directory(package)) / rest
    except (PackageNotFoundError, ValueError) as error:
        raise ConfigureError(
            f'{name} cannot be resolved: no package {package!r} in AMENT_PREFIX_PATH. Source the '
            'setup file of its workspace, or give a path.') from error


def _sentence(error):
    text = str(error).rstrip()
    return text if text.endswith('.') else f'{text}.'
