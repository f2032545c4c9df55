# SPDX-License-Identifier: Apache-2.0
"""Watching a running system in a browser: the Foxglove protocol, without ROS."""
