# SPDX-License-Identifier: Apache-2.0
"""The demo without ROS: child processes, records of episodes, and what is reported of them."""
