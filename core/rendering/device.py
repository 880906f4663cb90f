"""Where scenes are drawn: the backend is where their tensors live."""

import logging
import os

import torch

from core.errors import UserError

log = logging.getLogger(__name__)

VARIABLE = "SPLATSCOPE_DEVICE"


def preferred_device() -> torch.device:
    """CUDA where there is a GPU that gsplat can draw on, else the CPU.

    May build gsplat's kernels, which takes minutes once. The environment variable
    ``SPLATSCOPE_DEVICE=cpu`` or ``cuda`` decides by hand.

    Raises
    ------
    UserError
        If CUDA is asked for by hand and cannot be had, or the variable has another value.
    """
    choice = os.environ.get(VARIABLE, "auto").lower()
    if choice not in ("auto", "cpu", "cuda"):
        raise UserError(f"{VARIABLE} is {choice!r}.", "Set it to auto, cpu or cuda.")
    if choice == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        if choice == "cuda":
            raise UserError("torch finds no NVIDIA GPU.", f"Unset {VARIABLE} to use the CPU.")
        return torch.device("cpu")
    from core.rendering.cuda import gsplat_module

    try:
        gsplat_module()
    except UserError as error:
        if choice == "cuda":
            raise
        log.warning("drawing on the CPU: %s", error)
        return torch.device("cpu")
    return torch.device("cuda")
