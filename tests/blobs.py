"""A small scene for tests that need any scene, not a particular one."""

import torch

from core.scene import GaussianScene


def blob_scene(count: int, sh_degree: int = 1, seed: int = 0) -> GaussianScene:
    """A ball of ``count`` coloured Gaussians around the origin, radius about 1."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    sh = 0.1 * normal(count, (sh_degree + 1) ** 2, 3)
    sh[:, 0] = normal(count, 3)
    return GaussianScene(
        means=0.45 * normal(count, 3),
        log_scales=-3 + 0.4 * normal(count, 3),
        quats=normal(count, 4),
        opacity_logits=1.5 * normal(count),
        sh=sh,
    )
