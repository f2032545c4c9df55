# SPDX-License-Identifier: Apache-2.0
"""The parameters of all nodes, one table per node.

A row says what `ros2 param describe` answers. `config/obai.yaml` repeats the defaults for those
who want to edit them; a test compares the two.
"""

import dataclasses

from obai_ros.nodes.spec import ALWAYS, NEVER, Spec

_AUTOSTART = Spec(
    'autostart', True, 'Configure and activate without waiting for a lifecycle manager.',
    change=NEVER)
_CHECKPOINT = Spec(
    'checkpoint', '', 'Weights (.safetensors, with its .json beside): a path, file:// or '
    'package://<package>/<path>, or the name of bundled ones, such as photographs; empty: '
    'fast.')
_DEVICE = Spec(
    'device', 'auto', 'Where inference runs; auto takes the first GPU, or the CPU without one.',
    pattern=r'auto|cpu|cuda(:\d+)?', constraint='auto, cpu, cuda or cuda:N')
_IMAGE_TRANSPORT = Spec(
    'image_transport', 'raw', 'How images come: raw on image_raw, or compressed (JPEG, PNG) on '
    'image_raw/compressed.', choices=('raw', 'compressed'))
# Images per second: one in a quarter of an hour.
_SLOWEST = .001

SIM = (
    Spec('synchronous', True, 'Lock-step: wait for the action of each frame before the next one. '
         'False: free-running at `rate` with the latest action.', change=NEVER),
    Spec('rate', 10.0, 'Frames per second when free-running; in lock-step the most there are, '
         '0 = as fast as answers come.', 0., 1000., least=_SLOWEST, change=ALWAYS),
    Spec('action_timeout', 5.0, 'Seconds that lock-step waits for an action; then zero action.',
         .01, 3600., change=ALWAYS),
    Spec('resend_period', 1.0, 'Seconds after which an unanswered frame is sent again.',
         .01, 3600., change=ALWAYS),
    Spec('wait_for_agent', True, 'Hold the first frame until image_raw has a subscriber and '
         'action_field a publisher.', change=NEVER),
    Spec('seed', 0, 'Seed of the scenes; the same seed gives the same episodes.', 0, 2**31 - 1,
         change=NEVER),
    Spec('episode_steps', 0, 'Frames per episode, after which a new scene begins; 0 = endless.',
         0, 1000000, change=ALWAYS),
    Spec('image_size', 64, 'Side of the square camera image, px.', 16, 1024, change=NEVER),
    Spec('num_objects', 3, 'Objects in a scene.', 1, 16, change=NEVER),
    Spec('velocity_sd', 4.0, 'Standard deviation of initial velocities per axis, px/frame.',
         0., 1000., change=NEVER),
    Spec('photographs', False, 'Show scenes as a camera would see them: in any colours, lit, with '
         'shadows, blurred and noisy.', change=NEVER),
    Spec('frame_id', 'camera_optical_frame', 'Frame of the images (x right, y down, z forward).',
         change=NEVER),
    Spec('publish_clock', False, 'Publish /clock, for nodes that run with use_sim_time.',
         change=NEVER),
)

PERCEPTION = (
    _AUTOSTART, _CHECKPOINT, _DEVICE,
    _IMAGE_TRANSPORT,
    Spec('resize', 'crop', "How an image is fitted to the model's: crop (the largest square in "
         'its middle), letterbox (all of it, grey bars) or stretch (all of it, proportions lost).',
         choices=('crop', 'letterbox', 'stretch')),
    Spec('precision', 'auto', 'Of the convolutions: float32, bfloat16 (faster where the device '
         'computes with it, and no less accurate), or auto: bfloat16 where it is faster.',
         choices=('auto', 'float32', 'bfloat16')),
    Spec('engine', 'auto', 'What computes percepts, all with the same results: reference (the '
         'readable code), direct (gradients written out, faster), compiled (fastest; compiles in '
         'the background if need be, and keeps the code in the user\'s cache), graphs (on a GPU: '
         'recorded as a CUDA graph and replayed), or auto: compiled where code is in the cache, '
         'otherwise graphs on a GPU and direct elsewhere.',
         choices=('auto', 'reference', 'direct', 'compiled', 'graphs')),
    Spec('iterations', 0, 'Refinement iterations per frame; 0 = as the model was trained. Fewer '
         'are faster, more are not better without end.', 0, 64, change=ALWAYS),
    Spec('settled', 0.0, 'Nats per pixel: leave off refining a frame as soon as a refinement has '
         'lowered its free energy by less; 0 = never.', 0., 100., change=ALWAYS),
    Spec('descent', 0, 'Then let beliefs follow the gradient of the free energy for so many '
         'steps: masks and reconstructions get better, and each frame takes longer; 0 = not at '
         'all.', 0, 1000, change=ALWAYS),
    Spec('follow_rate', False, 'Spend fewer iterations on a frame where the time between images '
         'is too short for all; for cameras, not for a simulator that waits.', change=ALWAYS),
    Spec('window', 0, 'Frames that are refined together; 0 = as the model was trained.', 0, 16),
    Spec('starts', 0, 'How often the first frame is begun anew; the beliefs with the least free '
         'energy are kept. Second looks are begun as often, but at most 3 times. 0 = as suits the '
         'model: once where slots begin at seeds, as with the bundled one, otherwise 3 times.', 0,
         64),
    Spec('births', 3, 'How often, after that and at second looks, something that no slot explains '
         'may be given one; 0 = never.', 0, 64),
    Spec('second_look', 4, 'Every so many frames, at the first few, and when the free energy '
         'jumps, a frame of which something is left unexplained is also looked at as if it were '
         'the first, and the better explanation kept; 0 = never.', 0, 10000),
    Spec('confined', True, 'From frame to frame, forget velocities of latents that no '
         'acceleration can bring about, and let looks and the background fade to the prior; over '
         'long streams latents would wander.'),
    Spec('seed', 0, 'Seed of the noise with which the filter starts.', 0, 2**31 - 1),
    Spec('threads', 1, 'CPU threads of torch; 0 = one per core. More than one helps only where '
         'that many cores are idle: on a busy machine it is slower by far.', 0, 256),
    Spec('action_wait', 0.5, 'Seconds to wait for the action applied on the previous frame, if '
         'anyone publishes it; then zero action.', 0., 60., change=ALWAYS),
    Spec('reset_gap', 2.0, 'The filter starts anew after a gap of more than this many seconds '
         'between images, unless the actions applied meanwhile are known.', .01, 3600.,
         change=ALWAYS),
    Spec('max_skip', 30, 'Frames that the filter steps over by its dynamics when it cannot keep '
         'up; after more it starts anew, which is quicker and no less certain.', 0, 100,
         change=ALWAYS),
)

PLANNER = (
    _AUTOSTART, _CHECKPOINT,
    Spec('goal_bank', '', 'Goal bank of the model (.safetensors): a path, file:// or '
         'package://<package>/<path>; empty: the one beside the weights.'),
    Spec('goal', 'none', 'Goal at start: none, or all objects to (goal_x, goal_y). Setting it '
         'replaces a goal set by service or topic.', choices=('none', 'all'), change=ALWAYS),
    Spec('goal_x', 32.0, 'Where to, px of the model image, to the right.', 0., 4096.,
         change=ALWAYS),
    Spec('goal_y', 32.0, 'Where to, px of the model image, downwards.', 0., 4096., change=ALWAYS),
    Spec('spread', 2.0, 'Standard deviation of the preferred position, px, for goals that do not '
         'name their own.', .1, 100., change=ALWAYS),
    Spec('resize', 'crop', 'How goal images are fitted to the model\'s; as perception_node does.',
         choices=('crop', 'letterbox', 'stretch'), change=ALWAYS),
    Spec('horizon', 5, 'Frames that a plan looks ahead.', 1, 50, change=ALWAYS),
    Spec('velocity_weight', 1.0, 'Wish to be at rest at the goal, relative to being there.',
         0., 100., change=ALWAYS),
    Spec('action_cost', 0.3, 'Price of acceleration, relative to its effect on the beliefs.',
         0., 100., change=ALWAYS),
    Spec('max_acceleration', 8.0, 'Largest acceleration of an object, px/frame^2.', .01, 1000.,
         change=ALWAYS),
    Spec('delay', 0, 'Frames by which actions act later than on the image that they answer; plans '
         'are made for then. 0 for a simulator that waits.', 0, 10, change=ALWAYS),
)

CAMERA = (
    Spec('source', '/dev/video0', 'Where pictures come from: a camera, a video file, or a folder '
         'of images (in the order of their names).', pattern=r'.+',
         constraint='a camera such as /dev/video0, a video file, or a folder of images',
         change=NEVER),
    Spec('rate', 0.0, 'Pictures per second; 0 = as they come from a camera, as a video was made, '
         '10 of a folder. Of a faster camera some are left out.', 0., 1000., least=_SLOWEST,
         change=ALWAYS),
    Spec('loop', True, 'Begin anew after the last picture of a video or folder.', change=NEVER),
    Spec('image_width', 0, 'What to ask a camera for, px; 0 = as it likes.', 0, 16384,
         change=NEVER),
    Spec('image_height', 0, 'What to ask a camera for, px; 0 = as it likes.', 0, 16384,
         change=NEVER),
    Spec('camera_info_url', '', 'Calibration (YAML of camera_calibration): a path, file:// or '
         'package://<package>/<path>; empty: camera_info says that there is none.', change=NEVER),
    Spec('frame_id', 'camera_optical_frame', 'Frame of the images (x right, y down, z forward).',
         change=NEVER),
)

OVERLAY = (
    dataclasses.replace(_IMAGE_TRANSPORT, change=NEVER),
    Spec('scale', 4, "Pixels of ~/overlay per pixel of the model's image, at least; the camera's "
         'image is magnified by whole numbers to get there.', 1, 16, change=ALWAYS),
    Spec('keep_frames', 30, 'Frames that are kept while their parts arrive.', 2, 1000,
         change=NEVER),
    Spec('metres_per_px', 0.01, 'Size of a pixel of the model image in ~/markers, m; they lie in '
         'the plane z = 0 of the image frame.', 1e-6, 1e3, change=ALWAYS),
)

TABLES = {
    'sim_node': SIM,
    'camera_node': CAMERA,
    'perception_node': PERCEPTION,
    'planner_node': PLANNER,
    'overlay_node': OVERLAY,
}
