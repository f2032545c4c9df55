# SPDX-License-Identifier: Apache-2.0
"""Active-dSprites: an interactive world of sprites, batched, on any device (Appendix A)."""
