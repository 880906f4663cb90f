"""A scene's tensors while they are being fitted, each with its own Adam."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

from core.scene import GaussianScene
from core.training.adam import MOMENTS, FusedAdam, state_of

TENSORS = ("means", "log_scales", "quats", "opacity_logits", "sh")


class Parameters:
    """The tensors of a scene as torch parameters, and one fused Adam for each.

    The colour is one tensor with two rates: two tensors would have to be put together for every
    picture, which costs more than Adam.

    Attributes
    ----------
    tensors, optimizers
        By the names of the scene's tensors. Densification replaces the tensors.
    """

    def __init__(self, scene: GaussianScene) -> None:
        self._scene = scene
        self.tensors: dict[str, Tensor] = {
            name: Parameter(tensor.detach().clone().contiguous())
            for name, tensor in scene.tensors().items()
        }
        self.optimizers = {
            name: FusedAdam(parameter, base=3 if name == "sh" else 0)
            for name, parameter in self.tensors.items()
        }

    def __len__(self) -> int:
        return len(self.tensors["means"])

    @property
    def sh_degree(self) -> int:
        """Degree of the colour's spherical harmonics."""
        return self._scene.sh_degree

    def scene(self) -> GaussianScene:
        """The scene as it is now, sharing its tensors; for drawing it."""
        return self._with(self.tensors, {})

    def snapshot(self) -> GaussianScene:
        """A copy of the scene as it is now; columns are kept where the Gaussians are the same."""
        tensors = {name: tensor.detach().clone() for name, tensor in self.tensors.items()}
        columns = self._scene.columns if len(self) == len(self._scene) else {}
        return self._with(tensors, columns)

    def _with(self, tensors: Mapping[str, Tensor], columns: Mapping[str, Tensor]) -> GaussianScene:
        return GaussianScene(
            means=tensors["means"],
            log_scales=tensors["log_scales"],
            quats=tensors["quats"],
            opacity_logits=tensors["opacity_logits"],
            sh=tensors["sh"],
            antialiased=self._scene.antialiased,
            columns=columns,
        )

    def update(self, rates: Mapping[str, float]) -> None:
        """One step of Adam by the gradients, which are then forgotten."""
        for name, optimizer in self.optimizers.items():
            optimizer.rate = rates["sh_rest" if name == "sh" else name]
            optimizer.base_rate = rates["sh_base"]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """All tensors and moments by name, not copied; after the first step."""
        return state_of(self.tensors, self.optimizers)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a :meth:`state`, of any count.

        Raises
        ------
        ValueError
            If a tensor is missing or has another shape than this one asks for.
        """
        shapes = {name: tensor.shape[1:] for name, tensor in self.tensors.items()}
        count = len(_entry(state, "means"))
        device = self._scene.device
        for name, shape in shapes.items():
            parameter = Parameter(_entry(state, name).to(device))
            moments = {key: _entry(state, f"{name}.{key}").to(device) for key in MOMENTS}
            for tensor in (parameter, *moments.values()):
                if tensor.shape != (count, *shape) or tensor.dtype != torch.float32:
                    raise ValueError(f"{name} has another shape")
            done = _entry(state, f"{name}.step").to(device)
            if done.shape != ():
                raise ValueError(f"{name} has another shape")
            optimizer = self.optimizers[name]
            optimizer.state.clear()
            optimizer.param_groups[0]["params"] = [parameter]
            optimizer.state[parameter] = {**moments, "step": done}
            self.tensors[name] = parameter


def _entry(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise ValueError(f"{name} is missing")
    return state[name]
