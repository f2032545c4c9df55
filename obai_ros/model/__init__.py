# SPDX-License-Identifier: Apache-2.0
"""The generative model of sections 2.1-2.3 and its inference. Needs no ROS, no environment."""
