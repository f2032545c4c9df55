# SPDX-License-Identifier: Apache-2.0
"""The planner behind the planner node: beliefs in, an action field towards the goal out."""

import dataclasses

import numpy as np
import torch

from obai_ros.model.belief import Belief
from obai_ros.model.contact import Contacts
from obai_ros.model.filter import Filter
from obai_ros.model.pixels import to_image
from obai_ros.planning.delay import Action, foresee, Underway
from obai_ros.planning.goal import Goal, show_objects, Sight
from obai_ros.planning.goal_bank import GoalBank, GoalBankError
from obai_ros.planning.goal_image import look
from obai_ros.planning.occlusion import View
from obai_ros.planning.placement import place
from obai_ros.planning.planner import Plan, Planner, PlannerConfig
from obai_ros.planning.pursuit import Pursuit


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to do about one frame, with P points and K slots.

    row, col: [P] int64 px; acceleration: [P, 2] px/frame^2 at those pixels; slot_acceleration:
    [K, 2] what each slot should receive; acted: [K] bool, slots that are pushed; place [K, 2] px:
    where each is wanted, NaN where it has no goal; plan: None without any goal.
    """

    row: np.ndarray
    col: np.ndarray
    acceleration: np.ndarray
    slot_acceleration: np.ndarray
    acted: np.ndarray
    place: np.ndarray
    plan: Plan | None = None

    @property
    def feef(self) -> np.ndarray:
        """G of each slot, [K] nats, NaN where there is no goal; takes time, when first asked."""
        if self.plan is None:
            return np.full(len(self.acted), np.nan, np.float32)
        return self.plan.feef.numpy()


class Agent:
    """Pursues goals with a model.

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
        self._dynamics = checkpoint.model.dynamics.D.detach().cpu()
        self._state_noise = checkpoint.config.sigma_s
        self._planner = self._make_planner(config)
        # It looks at goal images as perception_node does unless told otherwise.
        self._filter = Filter(checkpoint.model, checkpoint.schedule.careful())
        self._frame = None  # that was answered last, since the filter started
        self._underway = Underway()
        self.pursuit = Pursuit(bank, self.bankless, self._planner, spread, self.size, self.size)

    def configure(self, config: PlannerConfig) -> None:
        """Plan like this from now on, with the state noise of the model."""
        self._planner = self._make_planner(config)
        self.pursuit.plan_with(self._planner)

    def _make_planner(self, config: PlannerConfig) -> Planner:
        return Planner(self._dynamics, dataclasses.replace(config, state_noise=self._state_noise))

    def look(self, picture: np.ndarray) -> Sight:
        """Return what is seen in a picture [H, W, 3] uint8 of the model's size.

        Takes as long as perception does for a few frames, and touches nothing that `answer` uses.
        """
        return look(self._filter, to_image(picture)[None])[0]

    def begin_anew(self) -> list[Goal]:
        """
        Note that the next beliefs do not follow from those before: slots hold other objects.

        Return the goals that this ends: those for an object that was pointed at.
        """
        self._frame, self._underway = None, Underway()
        return self.pursuit.renumber()

    def answer(self, beliefs) -> Answer:
        """
        Plan for these beliefs, as read by obai_ros.messages.beliefs.

        They are about a later frame than those before, unless it was told to `begin_anew`.
        """
        sight = see(beliefs)
        passed = 1 if self._frame is None else beliefs.frame - self._frame
        self._frame = beliefs.frame
        idle = Action.idle(1, len(sight.objects), beliefs.height, beliefs.width)
        acted, self._underway = self._underway.passed(passed, self._planner.config.delay, idle)
        received = sum((action.received[0] for action in acted), idle.received[0]).numpy()
        aims = self.pursuit.aims(sight, received, passed)
        active = aims.active
        if not active.any():
            self._underway = self._underway.sent(idle)
            return _nothing(len(active))
        contacts = Contacts(
            row=torch.as_tensor(beliefs.contact_row)[None],
            col=torch.as_tensor(beliefs.contact_col)[None],
            probability=torch.as_tensor(beliefs.contact_probability)[None],
            reachable=torch.as_tensor(beliefs.reachable)[None],
            background=torch.tensor([beliefs.background]))
        later, centre = aims.belief, sight.centre
        if self._underway.actions:
            future = foresee(aims.belief[None], sight.labels[None], contacts.background,
                             self._underway, self._dynamics, self._state_noise)
            later, centre = future.belief[0], centre + future.way[0]
            contacts, self._underway = future.contacts, future.underway
        plan = self._planner.plan(later, aims.terms, active, reachable=contacts.reachable[0],
                                  view=View(centre, sight.mass, sight.objects))
        field = place(contacts, plan.acceleration[None], active[None], beliefs.height,
                      beliefs.width)
        self._underway = self._underway.sent(Action(field, field.acceleration))
        used = (field.acceleration[0] != 0).any(-1)
        return Answer(
            row=field.row[0, used].numpy(), col=field.col[0, used].numpy(),
            acceleration=field.acceleration[0, used].numpy(),
            slot_acceleration=plan.acceleration.numpy(),
            acted=(plan.acceleration != 0).any(-1).numpy(), place=aims.place.numpy(), plan=plan)

    def require_own(self, model_id: str, latents: int) -> None:
        """Raise ValueError unless beliefs of such a model, with N latents, are of this one."""
        if model_id != self.model_id:
            raise ValueError(
                f'they are of model {model_id or "without a name"}, this planner has '
                f'{self.model_id}; give perception_node and planner_node the same checkpoint')
        if latents != len(self._dynamics):
            raise ValueError(f'they have {latents} latents per slot, expected '
                             f'{len(self._dynamics)} of model {self.model_id}')


def see(beliefs) -> Sight:
    """Return what the slots show, from beliefs as read by obai_ros.messages.beliefs."""
    mass = torch.as_tensor(beliefs.mass)
    objects = show_objects(torch.as_tensor(beliefs.empty), mass,
                           torch.tensor(beliefs.background), beliefs.height * beliefs.width)
    belief = Belief(*(torch.as_tensor(part) for part in (
        beliefs.mean, beliefs.velocity, beliefs.log_sd, beliefs.velocity_log_sd)))
    return Sight(belief, torch.as_tensor(beliefs.centroid), mass, torch.as_tensor(beliefs.traits),
                 objects, torch.as_tensor(beliefs.labels))


def _nothing(slots):
    return Answer(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32),
                  np.zeros((slots, 2), np.float32), np.zeros(slots, bool),
                  np.full((slots, 2), np.nan, np.float32))
