# SPDX-License-Identifier: Apache-2.0
"""GoalBank: true states and the beliefs inferred from them; any goal in closed form (eq. 9-12)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
import json
from pathlib import Path

from safetensors import safe_open, SafetensorError
from safetensors.torch import save as serialise
import torch
from torch import Tensor

from obai_ros.model.checkpoint import spoiled
from obai_ros.planning.bank_command import bank_command
from obai_ros.planning.preference import GoalError, Preference
from obai_ros.whole_file import write_bytes

# Fewer effective samples than this do not fix a mean and its variance.
MIN_EFFECTIVE_SAMPLES = 5.0
# Variance that no belief can be trusted below, relative to the variance over the whole bank. It
# keeps a dimension that the model does not use (all beliefs equal) from dominating the rest.
VARIANCE_FLOOR = 1e-4
# Precision of the colour classes: a colour belongs to one within this distance per channel.
# Half of the palette's step (64/255), so that classes do not overlap.
COLOUR_TOLERANCE = 0.125
FORMAT = 'obai_ros goal bank 2'
COLUMNS = ('position', 'shape', 'colour', 'size', 'orientation', 'mean', 'sd', 'traits')


class GoalBankError(ValueError):
    """A bank of goals that cannot be read or that belongs to another model."""


@dataclass(frozen=True)
class GoalBank:
    """
    n objects as they truly were and as the model believed them to be.

    position [n, 2] px (x right, y down); shape [n] int64, an index into `shapes`; colour [n, 3]
    in [0, 1]; size [n] px; orientation [n] rad; mean, sd [n, N]: mu_j and sigma_j of q(s | o_j).
    traits [n, A]: what they were seen to look like, see `model.traits`. `image_size` (height,
    width) px is the extent of the goals that make sense. `model_id` is the
    hash of the weights which the beliefs came from: latents of other weights mean nothing here.
    `file`: what it was read from, None if it was not.
    """

    position: Tensor
    shape: Tensor
    colour: Tensor
    size: Tensor
    orientation: Tensor
    mean: Tensor
    sd: Tensor
    traits: Tensor
    model_id: str
    image_size: tuple[int, int]
    shapes: tuple[str, ...]
    file: Path | None = None

    def __post_init__(self):
        count = len(self.position)
        for name in COLUMNS:
            value = getattr(self, name)
            if len(value) != count:
                raise GoalBankError(f'a goal bank of {count} positions needs as many entries in '
                                    f'"{name}", not {len(value)}')
        if self.mean.shape != self.sd.shape:
            raise GoalBankError(f'means {tuple(self.mean.shape)} and sds {tuple(self.sd.shape)} '
                                'of a goal bank must have the same shape')

    def __len__(self) -> int:
        return len(self.position)

    # ---- files ----------------------------------------------------------------------------

    @staticmethod
    def load(path: str | Path, model_id: str | None = None,
             weights: str | Path | None = None) -> GoalBank:
        """
        Read a bank; `model_id` (if given) is the model that it is going to be used with.

        weights: those of that model, for the words of errors; None: those beside the bank.
        Raises GoalBankError when the file is missing, damaged, no goal bank, or of another model.
        """
        path = Path(path)
        remedy = f'`{bank_command(path, weights)}`'
        if not path.is_file():
            raise GoalBankError(f'there is no goal bank {path}; make it with {remedy}')
        try:
            with safe_open(str(path), framework='pt') as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except SafetensorError as error:
            raise GoalBankError(f'{path} is damaged or no safetensors file ({error}); '
                                f'make it anew with {remedy}') from error
        if header.get('format') != FORMAT or not set(COLUMNS) <= set(tensors):
            raise GoalBankError(f'{path} is not a goal bank (its format is '
                                f'{header.get("format")!r}, expected {FORMAT!r})')
        try:
            bank = GoalBank(
                **{name: tensors[name] for name in COLUMNS}, model_id=header['model_id'],
                image_size=tuple(json.loads(header['image_size'])),
                shapes=tuple(json.loads(header['shapes'])), file=path)
        except (KeyError, TypeError, ValueError) as error:
            raise GoalBankError(f'{path} is damaged ({error}); make it anew with {remedy}'
                                ) from error
        if model_id is not None and bank.model_id != model_id:
            raise GoalBankError(
                f'the goal bank {path} belongs to the model {bank.model_id}, but the '
                f'model in use is {model_id}; a bank of its own comes of {remedy}')
        if bad := spoiled(tensors):
            raise GoalBankError(f'{path} is damaged: not all of its {bad[0]} is finite; make it '
                                f'anew with {remedy}')
        return bank

    def save(self, path: str | Path) -> None:
        """Write the bank as safetensors; the file appears whole or not at all."""
        header = {'format': FORMAT, 'model_id': self.model_id,
                  'image_size': json.dumps(list(self.image_size)),
                  'shapes': json.dumps(list(self.shapes))}
        columns = {name: getattr(self, name).cpu().contiguous() for name in COLUMNS}
        write_bytes(path, serialise(columns, header))

    def to(self, device) -> GoalBank:
        """Return the bank on `device`."""
        return replace(self, **{name: getattr(self, name).to(device) for name in COLUMNS})

    @staticmethod
    def join(banks: list[GoalBank]) -> GoalBank:
        """Return one bank with the objects of all `banks`, which must be of one model."""
        first = banks[0]
        if any(bank.model_id != first.model_id for bank in banks):
            raise GoalBankError('goal banks of different models cannot be joined')
        return replace(first, **{
            name: torch.cat([getattr(bank, name) for bank in banks]) for name in COLUMNS})

    def first(self, count: int) -> GoalBank:
        """Return the bank of the first `count` objects."""
        return replace(self, **{name: getattr(self, name)[:count] for name in COLUMNS})

    # ---- preferences ----------------------------------------------------------------------

    def select(self, shape: str | None = None, colour=None,
               size_range: tuple[float, float] | None = None) -> Tensor:
        """
        Return [n] bool: which objects are of the class (None: of any shape, colour or size).

        `shape` is one of `shapes`, `colour` (red, green, blue) in [0, 1], `size_range` (least,
        greatest) px. Raises GoalError for a class that does not exist.
        """
        chosen = torch.ones(len(self), dtype=torch.bool, device=self.position.device)
        if shape is not None:
            if shape not in self.shapes:
                raise GoalError(f'there is no shape {shape!r}; the bank knows '
                                + ', '.join(self.shapes))
            chosen &= self.shape == self.shapes.index(shape)
        if colour is not None:
            colour = torch.as_tensor(colour, dtype=self.colour.dtype, device=self.colour.device)
            if colour.shape != (3,) or not ((colour >= 0) & (colour <= 1)).all():
                raise GoalError(f'a colour is three numbers in [0, 1], not {colour.tolist()}')
            chosen &= ((self.colour - colour).abs() <= COLOUR_TOLERANCE).all(-1)
        if size_range is not None:
            least, greatest = size_range
            if not 0 <= least < greatest:
                raise GoalError(f'a range of sizes is (least, greatest) in px with 0 <= least < '
                                f'greatest, not ({least}, {greatest})')
            chosen &= (self.size >= least) & (self.size <= greatest)
        return chosen

    def toward(self, position, sd_px: float = 2.0, shape: str | None = None, colour=None,
               size_range: tuple[float, float] | None = None, covariance: str = 'diagonal',
               recentre: bool = True) -> Preference:
        """
        Return the preference for being at `position` [..., 2] px, give or take `sd_px`.

        The weights of eq. 10 are u_j = N(position_j; position, sd_px^2 I), restricted to a class
        of objects as in `select`. Near the border of the bank, and in a small bank, the weighted
        mean of the true positions is not `position`; `recentre` moves the mean of the beliefs by
        what they change with the position, to first order, as measured by the same weights.

        Raises GoalError for a position outside the image, an unknown class, a spread that is not
        positive, or fewer than MIN_EFFECTIVE_SAMPLES effective samples.
        """
        target = torch.as_tensor(position, dtype=self.mean.dtype, device=self.mean.device)
        if target.shape[-1:] != (2,):
            raise GoalError(f'a goal is a position (x, y) in px, not {position!r}')
        self._require_inside(target)
        if not 0 < sd_px < float('inf'):
            raise GoalError(f'the spread of a goal must be a positive number of px, not {sd_px}')
        flat = target.reshape(-1, 2)
        # Objects beyond four spreads of all goals weigh nothing; leaving them out makes the
        # usual case, one goal, an order of magnitude cheaper.
        chosen = self.select(shape, colour, size_range)
        restricted = not bool(chosen.all())
        chosen = chosen & (self.position >= flat.amin(0) - 4 * sd_px).all(-1)
        chosen = chosen & (self.position <= flat.amax(0) + 4 * sd_px).all(-1)
        near = chosen.nonzero().squeeze(-1)
        if len(near) < MIN_EFFECTIVE_SAMPLES:
            raise GoalError(self._too_few(len(near), restricted))
        distance = (self.position[near] - flat[:, None]).square().sum(-1)
        weights = torch.softmax(distance / (-2 * sd_px ** 2), -1)
        preference = self._moments(near, weights, covariance)
        mean, effective = preference.mean, preference.effective_samples
        if effective.min() < MIN_EFFECTIVE_SAMPLES:
            raise GoalError(self._too_few(float(effective.min()), restricted))
        if recentre:
            mean = mean + self._shift(near, weights, flat)
        return Preference(
            mean.reshape(*target.shape[:-1], -1),
            preference.precision.reshape(*target.shape[:-1], *preference.precision.shape[-2:]),
            effective.reshape(target.shape[:-1]))

    def _shift(self, index: Tensor, weights: Tensor, target: Tensor) -> Tensor:
        """Return [P, N]: by how much the beliefs at `target` differ from those at their mean."""
        position = self.position[index]
        away = position - target[:, None]                                    # [P, m, 2]
        weighted = weights[..., None] * away
        offset = weighted.sum(1)
        square = weighted.mT @ away - offset[:, :, None] * offset[:, None]
        beliefs = self.mean[index]
        cross = weighted.mT @ beliefs - offset[..., None] * (weights @ beliefs)[:, None]
        slope, failed = torch.linalg.solve_ex(square, cross)                 # [P, 2, N]
        if failed.any():
            raise GoalError('the objects of the bank near the goal lie on one line, so that it '
                            'is not known what the other direction changes; learn a larger bank '
                            f'({self.larger})')
        return -(offset[:, None] @ slope).squeeze(1)

    def weighted(self, weights: Tensor, covariance: str = 'diagonal') -> Preference:
        """
        Return the preference for any ptilde(s_true): weights u_j [..., n] >= 0 (eq. 10-12).

        `covariance` 'diagonal' is the paper's; 'full' also keeps how the dimensions vary
        together, shrunk toward the diagonal by N / (N + effective samples).
        """
        everything = torch.arange(len(self), device=self.mean.device)
        flat = weights.reshape(-1, len(self)).to(self.mean.dtype)
        if not bool((flat >= 0).all() and (flat.sum(-1) > 0).all()):
            raise GoalError('the weights of a goal must be 0 or more, and not all 0')
        flat = flat / flat.sum(-1, keepdim=True)
        result = self._moments(everything, flat, covariance)
        lead = weights.shape[:-1]
        return Preference(result.mean.reshape(*lead, -1),
                          result.precision.reshape(*lead, *result.precision.shape[-2:]),
                          result.effective_samples.reshape(lead))

    def _moments(self, index: Tensor, weights: Tensor, covariance: str) -> Preference:
        """Moments of the mixture sum_j u_j N(mu_j, sigma_j^2), weights [P, m] that sum to 1."""
        if covariance not in ('full', 'diagonal'):
            raise GoalError(f'covariance must be "full" or "diagonal", not {covariance!r}')
        # Moments about the average of the samples: in single precision the small variance of
        # the position dimensions would drown in the squares of their means.
        origin = self.mean[index].mean(0)
        offset = self.mean[index] - origin
        centre = weights @ offset
        within = weights @ self.sd[index].square()
        effective = weights.square().sum(-1).reciprocal()
        floor = VARIANCE_FLOOR * self._spread
        variance = (weights @ offset.square() - centre.square()).clamp(min=0) + within + floor
        if covariance == 'diagonal':
            return Preference(centre + origin, torch.diag_embed(variance.reciprocal()), effective)
        size = offset.shape[-1]
        products = (offset[:, :, None] * offset[:, None, :]).flatten(1)
        second = (weights @ products).unflatten(-1, (size, size))
        between = second - centre[:, :, None] * centre[:, None, :]
        keep = effective / (effective + size)
        full = keep[:, None, None] * between
        full.diagonal(dim1=-2, dim2=-1).copy_(variance)
        return Preference.from_covariance(centre + origin, full, effective)

    @cached_property
    def _spread(self) -> Tensor:
        """Variance [N] of a belief drawn from the whole bank."""
        return self.mean.var(0) + self.sd.square().mean(0)

    # ---- positions and shapes -------------------------------------------------------------

    def locate(self, mean: Tensor) -> Tensor:
        """Return the position [..., 2] px that beliefs `mean` [..., N] encode, by linear fit."""
        gain, offset = self._readout
        return mean @ gain + offset

    @cached_property
    def _readout(self) -> tuple[Tensor, Tensor]:
        return self.readout(self.position)

    def readout(self, attribute: Tensor, off: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """
        Return gain [S, V] and offset [V] that read an attribute [n, V] linearly.

        Ridge regression of the truth on `off` [n, S]; None: on the means of the bank's beliefs.
        Raises GoalBankError where these are all alike.
        """
        off = self.mean if off is None else off
        average, target = off.mean(0), attribute.mean(0)
        centred = off - average
        gram = centred.mT @ centred
        ridge = 1e-4 * gram.diagonal().mean()
        gram = gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        gain, failed = torch.linalg.solve_ex(gram, centred.mT @ (attribute - target))
        if failed.any():
            raise GoalBankError(f'nothing can be read from the beliefs about the {len(off)} '
                                f'objects of the bank, because they are all alike: learn a larger '
                                f'bank, or train the model further')
        return gain, target - average @ gain

    def _require_inside(self, target: Tensor) -> None:
        height, width = self.image_size
        limits = target.new_tensor((width, height))
        inside = ((target >= 0) & (target <= limits)).all(-1)
        if not inside.all():
            x, y = target[~inside].reshape(-1, 2)[0].tolist()
            raise GoalError(f'the goal ({x:g}, {y:g}) px lies outside the image, which is '
                            f'{width} px wide and {height} px high')

    @property
    def larger(self) -> str:
        """The command that makes a bank like this of more objects, in backticks."""
        return f'`{bank_command(self.file, larger=True)}`'

    def _too_few(self, effective: float, restricted: bool) -> str:
        return (f'this goal rests on {effective:.1f} effective samples, at least '
                f'{MIN_EFFECTIVE_SAMPLES:g} are needed; widen its spread'
                f'{", drop the restriction to a class" if restricted else ""}, or learn a larger '
                f'bank ({self.larger})')
