"""Exact-count pruning, and cuts that combine a score with filters."""

from core.pruning.cut import Cut, Filter, Join, Relation, cut_mask
from core.pruning.keep import count_in_megabytes, keep_count, keep_mask, prune

__all__ = [
    "Cut",
    "Filter",
    "Join",
    "Relation",
    "count_in_megabytes",
    "cut_mask",
    "keep_count",
    "keep_mask",
    "prune",
]
