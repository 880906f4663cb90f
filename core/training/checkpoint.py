"""An interrupted run on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from core.errors import UserError
from core.files import replacing

FORMAT = "splatscope checkpoint 1"
_POLICY = "policy."
_HINT = "Delete it to begin anew, or name another file."


class Fitted(Protocol):
    """What is fitted, with the moments of its Adam."""

    def state(self) -> dict[str, Tensor]:
        """All tensors by name."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a :meth:`state`; a ValueError if it has other shapes."""


class Stateful(Protocol):
    """What keeps something between steps."""

    def state(self) -> dict[str, Tensor]:
        """What must outlive an interruption."""

    def restore(self, state: Mapping[str, Tensor], parameters: Any) -> None:
        """Go back to a :meth:`state`; a ValueError if it does not fit the parameters."""


class Checkpoint:
    """A safetensors file with parameters, Adam's moments, the policy's state and the step.

    Only a run of the same ``identity`` (settings, targets, the scene it began from) may go on from
    it. The file is replaced in one step: whenever the program ends, a whole one is there.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self._path = path
        self._identity = dict(identity)

    def resume(self, parameters: Fitted, policy: Stateful) -> int:
        """Bring parameters and policy to where the file left off; the number of steps done.

        0, and nothing changes, if there is no file.

        Raises
        ------
        UserError
            If the file is damaged, no checkpoint, or that of another run.
        """
        if not self._path.exists():
            if not self._path.parent.is_dir():
                raise UserError(
                    f"Cannot keep a checkpoint at {self._path}: there is no such folder.",
                    "Create the folder first.",
                )
            return 0
        try:
            with safe_open(self._path, framework="pt") as file:
                steps = self._checked(file.metadata() or {})
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            own = {
                name.removeprefix(_POLICY): tensor
                for name, tensor in state.items()
                if name.startswith(_POLICY)
            }
            parameters.restore(state)
            policy.restore(own, parameters)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise UserError(f"{self._path} is not a whole checkpoint: {error}.", _HINT) from error
        return steps

    def save(self, parameters: Fitted, policy: Stateful, steps: int) -> None:
        """Write the state after ``steps`` steps."""
        own = {f"{_POLICY}{name}": tensor for name, tensor in policy.state().items()}
        tensors = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in (parameters.state() | own).items()
        }
        metadata = {
            "format": FORMAT,
            "steps": str(steps),
            "identity": json.dumps(self._identity, sort_keys=True),
        }
        with replacing(self._path) as file:
            file.write(save(tensors, metadata))

    def _checked(self, metadata: Mapping[str, str]) -> int:
        """The number of steps done."""
        if metadata.get("format") != FORMAT:
            raise UserError(f"{self._path} is not a checkpoint of this program.", _HINT)
        identity = json.loads(metadata["identity"])
        for name, value in self._identity.items():
            if not isinstance(identity, dict) or identity.get(name) != value:
                raise UserError(
                    f"{self._path} is the checkpoint of a run with other {name}.", _HINT
                )
        steps = int(metadata["steps"])
        if steps < 1:
            raise ValueError("it has no steps")
        return steps
