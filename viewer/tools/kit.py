"""All tools of the viewport."""

from viewer.tools.clicks import FloodTool, PickerTool
from viewer.tools.context import ToolContext
from viewer.tools.drags import BrushTool, LassoTool, PolygonTool, RectTool
from viewer.tools.tool import Tool
from viewer.tools.volumes import BoxTool, SphereTool

TOOLS = (
    RectTool,
    LassoTool,
    PolygonTool,
    BrushTool,
    FloodTool,
    PickerTool,
    SphereTool,
    BoxTool,
)


def make_tools(context: ToolContext) -> dict[str, Tool]:
    """One tool of each kind by the id of its action."""
    return {kind.id: kind(context) for kind in TOOLS}
