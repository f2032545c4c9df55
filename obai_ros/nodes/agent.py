# SPDX-License-Identifier: Apache-2.0
"""The planner behind the planner node: beliefs in, an action field towards the goal out."""

import dataclasses

import numpy as np
import torch

from obai_ros.model.belief import Belief
from obai_ros.nodes.pursuit import NONE, Pursuit, Target
from obai_ros.planning.goal_bank import GoalBank, GoalBankError
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import Contacts, place
from obai_ros.planning.planner import Planner, PlannerConfig


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to do about one frame, with P points and K slots.

    row, col: [P] int64 px; acceleration: [P, 2] px/frame^2 at those pixels; slot_acceleration:
    [K, 2] what each slot should receive; acted: [K] bool, slots that are pushed; feef: [K] nats,
    NaN where there is no goal.
    """

    row: np.ndarray
    col: np.ndarray
    acceleration: np.ndarray
    slot_acceleration: np.ndarray
    acted: np.ndarray
    feef: np.ndarray


class Agent:
    """Pursues a goal with a model.

    checkpoint: a loaded Checkpoint; bank_path: of its goal bank; config: a PlannerConfig; spread:
    default sd of goals, px. Without a bank there are no goals, and `bankless` says why; otherwise
    it is ''. Raises ValueError if the model cannot be planned with.
    """

    def __init__(self, checkpoint, bank_path, config: PlannerConfig, spread: float):
        self.model_id = checkpoint.model_id
        self.size = checkpoint.config.image_size
        self.bankless = ''
        bank = None
        try:
            bank = GoalBank.load(bank_path, self.model_id)
        except GoalBankError as error:
            self.bankless = str(error)
        self.pursuit = Pursuit(bank, self.bankless, spread, self.size, self.size)
        self._dynamics = checkpoint.model.dynamics.D.detach().cpu()
        self._planner = Planner(self._dynamics, config)

    def configure(self, config: PlannerConfig) -> None:
        """Plan like this from now on."""
        self._planner = Planner(self._dynamics, config)

    def answer(self, beliefs) -> Answer:
        """Plan for these beliefs, as read by obai_ros.messages.beliefs."""
        pursuit = self.pursuit
        slots = beliefs.mean.shape[0]
        active = pursuit.slots(beliefs.background, beliefs.empty)[None]
        if not active.any():
            return _nothing(slots)
        belief = Belief(*(torch.as_tensor(part)[None] for part in (
            beliefs.mean, beliefs.velocity, beliefs.log_sd, beliefs.velocity_log_sd)))
        contacts = Contacts(
            row=torch.as_tensor(beliefs.contact_row.astype(np.int64))[None],
            col=torch.as_tensor(beliefs.contact_col.astype(np.int64))[None],
            probability=torch.as_tensor(beliefs.contact_probability)[None],
            reachable=torch.as_tensor(beliefs.reachable)[None],
            background=torch.tensor([beliefs.background]))
        showing = ~torch.as_tensor(beliefs.empty)
        showing[beliefs.background] = False
        view = View(torch.as_tensor(beliefs.centroid)[None], torch.as_tensor(beliefs.mass)[None],
                    showing[None])
        plan = self._planner.plan(belief, pursuit.preference.expand(1, slots), active,
                                  reachable=contacts.reachable, view=view)
        field = place(contacts, plan.acceleration, active, beliefs.height, beliefs.width)
        used = (field.acceleration[0] != 0).any(-1)
        return Answer(
            row=field.row[0, used].numpy(), col=field.col[0, used].numpy(),
            acceleration=field.acceleration[0, used].numpy(),
            slot_acceleration=plan.acceleration[0].numpy(),
            acted=(plan.acceleration[0] != 0).any(-1).numpy(), feef=plan.feef[0].numpy())

    def require_own(self, model_id: str, latents: int) -> None:
        """Raise ValueError unless beliefs of such a model, with N latents, are of this one."""
        if model_id != self.model_id:
            raise ValueError(
                f'they are of model {model_id or "without a name"}, this planner has '
                f'{self.model_id}; give perception_node and planner_node the same checkpoint')
        if latents != len(self._dynamics):
            raise ValueError(f'they have {latents} latents per slot, expected '
                             f'{len(self._dynamics)} of model {self.model_id}')

    def renumbered(self) -> bool:
        """Note that the filter started anew: say whether that ended a goal for one object."""
        if self.pursuit.slot is None:
            return False
        self.pursuit.choose(Target(kind=NONE), None)
        return True


def _nothing(slots):
    return Answer(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32),
                  np.zeros((slots, 2), np.float32), np.zeros(slots, bool),
                  np.full(slots, np.nan, np.float32))
