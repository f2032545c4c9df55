# SPDX-License-Identifier: Apache-2.0
"""The paper's table and figures, made again with a model of this package."""
