"""Gaussian masked autoencoders (arXiv 2501.03229): from an image to Gaussians in depth layers."""
