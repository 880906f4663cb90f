"""How alike two pictures are."""

from core.metrics.similarity import psnr, ssim, ssim_map, warm_up

__all__ = ["psnr", "ssim", "ssim_map", "warm_up"]
