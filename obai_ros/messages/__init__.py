# SPDX-License-Identifier: Apache-2.0
"""Between numpy and ROS messages, without importing ROS: any object with the fields does."""
