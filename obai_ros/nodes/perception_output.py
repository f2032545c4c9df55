# SPDX-License-Identifier: Apache-2.0
"""What perception publishes about one image, each with the stamp and frame_id of that image."""

import numpy as np
from sensor_msgs.msg import Image

from obai_ros.messages import image
from obai_ros.messages.overlay import slot_colours
from obai_ros.model.pixels import to_picture
from obai_ros.msg import LabelInfo, SlotBeliefs
from obai_ros.nodes import qos
from obai_ros.nodes.percept_message import write_percept


class PerceptionOutput:
    """The publishers of a configured perception node; pictures only for those who listen."""

    def __init__(self, node, observer):
        self._node = node
        self._observer = observer
        self._told = None  # what label_info said last
        self._last = None
        self._slots = self._create(SlotBeliefs, 'slots', qos.DATA)
        self._label_image = self._create(Image, 'label_image', qos.IMAGE_OUT)
        self._label_info = self._create(LabelInfo, 'label_info', qos.LATCHED)
        self._reconstruction = self._create(Image, 'reconstruction', qos.IMAGE_OUT)
        self._prediction = self._create(Image, 'prediction', qos.IMAGE_OUT)

    def destroy(self) -> None:
        """Take the topics away again."""
        for publisher in (self._slots, self._label_image, self._label_info, self._reconstruction,
                          self._prediction):
            self._node.destroy_publisher(publisher)

    def publish(self, header, percept, fit) -> None:
        """Publish a Percept with batch 1 of an image that was fitted to the model like this."""
        self._last = write_percept(percept, self._observer.frame, self._observer.model_id,
                                   [SlotBeliefs(header=header)])[0]
        self._slots.publish(self._last)
        if self._told != (self._last.background, fit):
            self._told = self._last.background, fit
            self._label_info.publish(self._label_message(header, *self._told))
        if self._label_image.get_subscription_count():
            self._send(self._label_image, header, percept.labels[0].cpu().numpy(), '8UC1')
        if self._reconstruction.get_subscription_count():
            shown = to_picture(percept.reconstruction()[0])
            self._send(self._reconstruction, header, shown, 'rgb8')
        if self._prediction.get_subscription_count():
            self._send(self._prediction, header, self._observer.predict(), 'rgb8')

    def repeat(self) -> None:
        """Publish the slots of the last image once more."""
        self._slots.publish(self._last)

    def _create(self, kind, topic, profile):
        return self._node.create_publisher(
            kind, topic, profile, qos_overriding_options=qos.overridable())

    def _label_message(self, header, background, fit):
        slots = self._observer.num_slots
        colours = np.vstack([np.zeros((1, 3), np.uint8), slot_colours(slots)])
        red, green, blue = (column.tobytes() for column in colours.T)
        return LabelInfo(
            header=header, model_id=self._observer.model_id, num_slots=slots,
            background=background, label=list(range(slots + 1)),
            name=['background', *(f'slot {slot}' for slot in range(slots))],
            red=red, green=green, blue=blue, image_height=fit.height, image_width=fit.width,
            offset_x=fit.offset_x, offset_y=fit.offset_y, scale_x=fit.scale_x,
            scale_y=fit.scale_y)

    @staticmethod
    def _send(publisher, header, array, encoding):
        message = Image(header=header)
        image.from_numpy(array, encoding, message)
        publisher.publish(message)
