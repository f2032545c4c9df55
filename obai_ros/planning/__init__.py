# SPDX-License-Identifier: Apache-2.0
"""Goals in the latent space, plans that reach them and the pixels to push (eq. 9-14)."""
