# SPDX-License-Identifier: Apache-2.0
"""Control as a number: batches of closed-loop episodes from pixels, without ROS."""
