# SPDX-License-Identifier: Apache-2.0
"""
Engines that compute what `model.engine.Engine` does, faster.

A reader of the paper can leave this folder closed: nothing in it says anything that is not said in
the modules beside it. Here the same is written out, with gradients in closed form and without
autograd, then compiled or recorded; tests hold each against what it stands for.

    refining     refinement.refine, after free_energy.evaluate
    decoding     decoder, and its gradient        looking      refiner's view of the image
    expecting    window.expected                  moving       velocity.best_velocities
    describing   percept.describe                 interpolation   the weights of `glimpse`

    direct       the engine that runs them        compiled     the same, compiled ahead of time
    graphs       recorded as CUDA graphs          choice       which engine a model gets
    part         pieces that are compiled one by one   agreement    whether they are right
"""
