# SPDX-License-Identifier: Apache-2.0
"""How the nodes of the closed loop are started, so that no episode depends on the clock."""
from __future__ import annotations

import json
import os
from pathlib import Path

from obai_ros.demo.installation import ament_prefix_path, config, executable
from obai_ros.transport import profiles

STARTUP_PATIENCE = 90.0  # s; libraries and weights are loaded meanwhile, perhaps on a busy machine
# A frame that is not answered is an error that whoever watches the loop reports. The simulator
# must not go on without the action, or an episode would depend on how busy the machine is.
NEVER = 3600.0  # s
# The same for the action that perception waits for; it is lost only if it was sent before the two
# had found each other, and then there is no point in waiting longer.
ACTION_WAIT = 10.0  # s


def node_commands(checkpoint: Path, device: str, seed: int, image_size: int,
                  filter_seed: int | None = None, precision: str = 'auto',
                  engine: str = 'direct', goal_bank: Path | None = None
                  ) -> dict[str, list[str]]:
    """
    Return the command line of each node of the loop, in lock-step and as fast as it will go.

    seed: of the scenes, and of the filter unless `filter_seed` is given. precision, engine: of
    perception, as its parameters; with engine auto the episodes would also depend on whether
    code has been compiled before. goal_bank: None for the one beside the weights. The same
    arguments give the same episodes, however long an answer takes.
    """
    parameters = {
        'sim_node': {'seed': seed, 'image_size': image_size, 'synchronous': True, 'rate': 0.0,
                     'action_timeout': NEVER},
        'perception_node': {'checkpoint': str(checkpoint), 'device': device,
                            'seed': seed if filter_seed is None else filter_seed,
                            'action_wait': ACTION_WAIT, 'precision': precision,
                            'engine': engine},
        'planner_node': {'checkpoint': str(checkpoint),
                         'goal_bank': '' if goal_bank is None else str(goal_bank)},
    }
    # Their output is kept already, so they need not write the same into ~/.ros/log.
    common = ['--ros-args', '--disable-external-lib-logs',
              '--params-file', str(config('obai.yaml'))]
    commands = {}
    for node, values in parameters.items():
        commands[node] = [str(executable(node)), *common]
        for name, value in values.items():
            # JSON, so that no path is taken for a number or anything else YAML knows.
            commands[node] += ['-p', f'{name}:={json.dumps(value)}']
    return commands


def enter_domain(domain: int) -> dict[str, str]:
    """Prepare the environment of ROS, also of this process; return it for the children."""
    os.environ.update({
        'AMENT_PREFIX_PATH': ament_prefix_path(),
        'ROS_DOMAIN_ID': str(domain),
        # Nothing of this concerns other machines, and theirs does not concern us.
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'RCUTILS_COLORIZED_OUTPUT': '0',
        'PYTHONUNBUFFERED': '1',
    })
    os.environ.update(profiles())
    return dict(os.environ)
