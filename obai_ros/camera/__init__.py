# SPDX-License-Identifier: Apache-2.0
"""Pictures from cameras, videos and folders, and how they are fitted to the model's grid."""
