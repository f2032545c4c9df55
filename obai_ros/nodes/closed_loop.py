# SPDX-License-Identifier: Apache-2.0
"""closed_loop: all nodes of the loop in one process, for small machines.

The nodes are the same as in processes of their own, under the same names, and so are their
parameters: a file names the node of each (config/obai.yaml); a command line does it with
`-p sim_node:rate:=5.0`, which rcl allows only where there is no namespace. Libraries are loaded
once; perception works in its thread as ever.
"""

from obai_ros.nodes.overlay_node import OverlayNode
from obai_ros.nodes.perception_node import PerceptionNode
from obai_ros.nodes.planner_node import PlannerNode
from obai_ros.nodes.run import run_together
from obai_ros.nodes.sim_node import SimNode


def main(args=None):
    return run_together((SimNode, PerceptionNode, PlannerNode, OverlayNode), args)
