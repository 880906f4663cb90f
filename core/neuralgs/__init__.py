"""Compression into nets: NeuralGS, one small multilayer perceptron per cluster of Gaussians."""
