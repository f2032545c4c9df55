# SPDX-License-Identifier: Apache-2.0
"""How an image follows from the one before: with which actions, over which gap, or not at all."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """What leads from the frame processed last to the present one.

    restart: why the filter has to start anew, or ''. actions: what acted on the last frame and on
    each frame skipped since, oldest first; None where it is not known (taken as nothing). Hence
    len(actions) - 1 frames were skipped. missing: True if someone publishes the applied actions,
    but the one on the last frame did not arrive.
    """

    restart: str = ''
    actions: tuple = (None,)
    missing: bool = False


def follow(last, stamp, applied, skipped, expected, reset_gap, max_skip) -> Step:
    """Decide how the image at `stamp` follows from the one at `last` (None: there is none).

    Stamps are in ns. applied: [(stamp, action)] with last <= its stamp < stamp, oldest first;
    action.cut tells that the next image does not follow. skipped: stamps of images that were
    received in between but not processed. expected: whether anyone publishes applied actions.
    reset_gap: s; the filter starts anew after a longer gap behind any of these frames, unless the
    action on that frame is known: then the next one follows, however slowly it came. max_skip: so
    many skipped frames are stepped over; after more the filter starts anew.
    """
    if last is None:
        return Step(restart='this is the first image')
    if stamp < last:
        return Step(restart=f'stamps went back by {(last - stamp) * 1e-9:.3g} s')
    by_stamp = dict(applied)
    if any(action.cut for action in by_stamp.values()):
        return Step(restart='the scene was reset')
    frames = sorted({last, *by_stamp, *(s for s in skipped if last < s < stamp)})
    gap = max((later - earlier for earlier, later in zip(frames, (*frames[1:], stamp))
               if earlier not in by_stamp), default=0) * 1e-9
    if gap > reset_gap:
        return Step(restart=f'no image was seen for {gap:.3g} s')
    if not by_stamp and not expected:
        # Nobody counts the frames. The model's frame is then the interval between the images that
        # are processed, which is steady as long as the load is.
        return Step()
    if len(frames) - 1 > max_skip:
        return Step(restart=f'{len(frames) - 1} images were skipped')
    return Step(actions=tuple(by_stamp.get(frame) for frame in frames),
                missing=expected and last not in by_stamp)
