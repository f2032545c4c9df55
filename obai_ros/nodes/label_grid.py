# SPDX-License-Identifier: Apache-2.0
"""Where the model's grid lies in the camera's images, as perception says by label_info."""

from obai_ros.camera.fit import fit, Fit
from obai_ros.messages import label_info
from obai_ros.msg import LabelInfo


class LabelGrid:
    """Keeps the last good LabelInfo; complaints: where others are counted and told of."""

    def __init__(self, complaints):
        self._complaints = complaints
        self.info = LabelInfo()

    def take(self, message):
        try:
            label_info.check(message)
        except label_info.LabelInfoError as error:
            self._complaints.add('info', f'label_info refused, the one before stays: {error}')
            return
        self.info = message

    def within(self, picture, size: int) -> Fit:
        """Return where the grid, size x size px, lies in a picture [H, W, 3]."""
        height, width = picture.shape[:2]
        info = self.info
        if (info.image_width, info.image_height) == (width, height):
            return Fit(width, height, size, info.offset_x, info.offset_y, info.scale_x,
                       info.scale_y)
        # It is still to come, or about images of another size: for a moment, a guess.
        return fit('stretch', width, height, size)
