import pytest
import torch

from core.errors import UserError
from core.rendering.device import preferred_device


def test_the_cpu_can_be_chosen_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLATSCOPE_DEVICE", "cpu")
    assert preferred_device() == torch.device("cpu")


def test_an_unknown_choice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLATSCOPE_DEVICE", "tpu")
    with pytest.raises(UserError, match="auto, cpu or cuda"):
        preferred_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_the_cpu_unless_cuda_is_demanded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SPLATSCOPE_DEVICE", raising=False)
    assert preferred_device() == torch.device("cpu")
    monkeypatch.setenv("SPLATSCOPE_DEVICE", "cuda")
    with pytest.raises(UserError, match="no NVIDIA GPU"):
        preferred_device()


@pytest.mark.gpu
def test_with_a_gpu_it_is_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPLATSCOPE_DEVICE", raising=False)
    assert preferred_device().type == "cuda"
