# SPDX-License-Identifier: Apache-2.0
"""The commands of `obai`, one module each: see obai_ros.cli."""
