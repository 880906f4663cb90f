"""Exact-count pruning."""

from core.pruning.keep import keep_count, keep_mask, prune

__all__ = ["keep_count", "keep_mask", "prune"]
