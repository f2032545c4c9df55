# SPDX-License-Identifier: Apache-2.0
"""Offline: learning, measuring and reporting. Runs on machines without ROS."""
