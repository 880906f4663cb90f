"""What is learned, by name, each tensor with its own Adam; and which Gaussians it speaks of."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

from core.neuralgs.model import Network
from core.training.adam import MOMENTS, FusedAdam, state_of

CODES, BASIS = "codes", "basis"


class Learner:
    """Nets, and codes with their basis once there are any, while they are being fitted.

    Attributes
    ----------
    tensors
        ``weight 0``, ``bias 0``, ... and ``codes (N, Z)`` in units, not rounded, and ``basis
        (K, Z, C)``.
    """

    def __init__(self, network: Network) -> None:
        self._levels = network.levels
        self._layers = len(network.weights)
        self.tensors: dict[str, Tensor] = {}
        self.optimizers: dict[str, FusedAdam] = {}
        for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            self.add(f"weight {number}", weight)
            self.add(f"bias {number}", bias)

    def __len__(self) -> int:
        return len(self.tensors["weight 0"])

    def add(self, name: str, tensor: Tensor) -> None:
        """Learn another tensor, or the same anew, with a fresh Adam."""
        self.tensors[name] = Parameter(tensor.detach().clone().contiguous())
        self.optimizers[name] = FusedAdam(self.tensors[name])

    def network(self) -> Network:
        """The nets as they are, sharing the tensors."""
        numbers = range(self._layers)
        return Network(
            tuple(self.tensors[f"weight {number}"] for number in numbers),
            tuple(self.tensors[f"bias {number}"] for number in numbers),
            self._levels,
        )

    @property
    def coded(self) -> bool:
        """Whether there are codes."""
        return CODES in self.tensors

    def codes_of(self, indices: Tensor) -> Tensor | None:
        """Codes of some Gaussians, to take gradients by; None where there are no codes."""
        if not self.coded:
            return None
        return self.tensors[CODES].detach().index_select(0, indices).requires_grad_()

    def renew(self) -> None:
        """Forget all moments."""
        for name, tensor in list(self.tensors.items()):
            self.add(name, tensor)

    def update(self, rates: Mapping[str, float]) -> None:
        """One step of Adam by the gradients, which are then forgotten.

        Parameters
        ----------
        rates
            ``"nets"``, and ``"codes"`` and ``"basis"`` where there are codes.
        """
        for name, optimizer in self.optimizers.items():
            optimizer.rate = optimizer.base_rate = rates.get(name, rates["nets"])
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """All tensors and moments by name, not copied."""
        return state_of(self.tensors, self.optimizers)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a :meth:`state`.

        Raises
        ------
        ValueError
            If a tensor is missing or has another shape than here.
        """
        for name, tensor in list(self.tensors.items()):
            saved = _entry(state, name, tensor)
            self.add(name, saved.to(tensor.device))
            if f"{name}.step" in state:
                moments = {
                    key: _entry(state, f"{name}.{key}", tensor).to(tensor.device) for key in MOMENTS
                }
                done = state[f"{name}.step"].to(tensor.device if tensor.is_cuda else "cpu")
                self.optimizers[name].state[self.tensors[name]] = {**moments, "step": done}


def _entry(state: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    if name not in state:
        raise ValueError(f"{name} is missing")
    if state[name].shape != like.shape or state[name].dtype != torch.float32:
        raise ValueError(f"{name} has another shape")
    return state[name]
