"""Exact-count pruning."""

from core.pruning.keep import count_in_megabytes, keep_count, keep_mask, prune

__all__ = ["count_in_megabytes", "keep_count", "keep_mask", "prune"]
