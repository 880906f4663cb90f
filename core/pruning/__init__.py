"""Exact-count pruning, and cuts that combine a score with filters."""

from core.pruning.cut import Choice, Cut, Filter, Join, Relation, choice, cut_mask
from core.pruning.keep import count_in_megabytes, keep_count, keep_mask, prune
from core.pruning.presets import PRESETS, Preset
from core.pruning.schedule import SCHEDULES, Round, Schedule, SchedulePreset, schedule_of
from core.pruning.wording import filter_text, parse_filter, shortfall_text

__all__ = [
    "PRESETS",
    "SCHEDULES",
    "Choice",
    "Cut",
    "Filter",
    "Join",
    "Preset",
    "Relation",
    "Round",
    "Schedule",
    "SchedulePreset",
    "choice",
    "count_in_megabytes",
    "cut_mask",
    "filter_text",
    "keep_count",
    "keep_mask",
    "parse_filter",
    "prune",
    "schedule_of",
    "shortfall_text",
]
