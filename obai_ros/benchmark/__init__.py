# SPDX-License-Identifier: Apache-2.0
"""What things cost, in operations and in seconds, on the machine at hand."""
