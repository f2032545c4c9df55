# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes; the only modules that import rclpy."""
