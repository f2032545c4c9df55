# SPDX-License-Identifier: Apache-2.0
"""Pictures from outside: cameras, videos, folders of images, and how they meet the model's grid."""
