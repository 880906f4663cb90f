"""Everything that a person can do, one row each; see :mod:`viewer.actions`."""

from viewer.action_spec import (
    BUSY,
    DOCUMENT,
    HIDDEN,
    IDLE,
    NO_JOB,
    PREVIEW,
    PRUNABLE,
    REDO,
    SELECTED,
    UNDO,
    VIEWS,
    ActionSpec,
    in_viewport,
)
from viewer.look import Backdrop, Mode, Overlay

MENUS = ("File", "Edit", "Select", "View", "Camera", "Compare", "Run", "Window", "Help")


# fmt: off
_FILE = (
    ActionSpec("file.open", "Open Scene…", "File", keys=("Ctrl+O",), short="Open",
        tip="Open a scene of Gaussians, such as a .ply file.", icon="open", needs=NO_JOB),
    ActionSpec("file.open_demo", "Open Demo Scene", "File", icon="sample",
        tip="Open the trained still life that comes along, with its photos.", needs=NO_JOB),
    ActionSpec("file.open_folder", "Open Scene with Its Photos…", "File",
        tip="Open a folder that holds a scene and its photos and cameras.", icon="photo",
        needs=NO_JOB),
    ActionSpec("file.train", "Train from Photos…", "File", icon="refine", needs=NO_JOB,
        tip="Begin a scene of posed photos: COLMAP, transforms.json or cameras.json."),
    ActionSpec("file.open_dataset", "Attach Photos and Cameras…", "File", keys=("Ctrl+Shift+O",),
        tip="Attach posed photos: COLMAP, transforms.json or cameras.json.", icon="cameras",
        needs=IDLE),
    ActionSpec("file.open_image", "Open Image as Gaussians…", "File", keys=("Ctrl+G",),
        short="Image", icon="layers", needs=NO_JOB,
        tip="Make an image Gaussians in layers of depth, by a masked autoencoder."),
    ActionSpec("file.paste_image", "Paste Image as Gaussians", "File", keys=("Ctrl+V",),
        tip="Make the image in the clipboard Gaussians, or the image file that was copied.",
        icon="copy", needs=NO_JOB),
    ActionSpec("file.export", "Export…", "File", section=1, keys=("Ctrl+E",), short="Export",
        tip="Write the scene without its deleted Gaussians.", icon="export", needs=IDLE),
    ActionSpec("file.screenshot", "Save Screenshot…", "File", section=1, keys=("F9",),
        tip="Save the picture of the viewport, at any size.", icon="screenshot", needs=DOCUMENT),
    ActionSpec("app.settings", "Preferences…", "File", section=2, keys=("Ctrl+,",),
        tip="Theme, colours, navigation and memory.", icon="settings"),
    ActionSpec("app.quit", "Quit", "File", icon="quit", section=2, keys=("Ctrl+Q",),
        tip="Close Splatscope."),
)

_EDIT = (
    ActionSpec("edit.undo", "Undo", "Edit", keys=("Ctrl+Z",), icon="undo", needs=UNDO),
    ActionSpec("edit.redo", "Redo", "Edit", keys=("Ctrl+Shift+Z", "Ctrl+Y"), icon="redo",
        needs=REDO),
    in_viewport("edit.delete", "Delete Selected", "Edit", "Delete Backspace",
        "Delete the selected Gaussians; Undo brings them back.", "delete", 1, needs=DOCUMENT),
    ActionSpec("prune.apply", "Apply Prune", "Edit", section=2,
        tip="Delete the Gaussians that the preview marks, as one undoable step.", icon="prune",
        needs=PRUNABLE),
    ActionSpec("prune.reset", "Reset Prune Preview", "Edit", section=2,
        tip="Keep all Gaussians again.", needs=PREVIEW),
)

_SELECT = (
    ActionSpec("select.all", "All", "Select", keys=("Ctrl+A",),
        tip="Select all Gaussians that are drawn.", icon="select-all", needs=DOCUMENT),
    ActionSpec("select.none", "None", "Select", keys=("Ctrl+Shift+A",), icon="select-none",
        tip="Select no Gaussians.", needs=SELECTED),
    ActionSpec("select.invert", "Invert", "Select", keys=("Ctrl+I",),
        tip="Select the drawn Gaussians that are not selected.", icon="select-invert",
        needs=DOCUMENT),
    in_viewport("select.grow", "Grow", "Select", "Ctrl+=",
        "Add the neighbours of the selected Gaussians.", "select-grow", needs=SELECTED),
    in_viewport("select.shrink", "Shrink", "Select", "Ctrl+-",
        "Leave out those at the rim of the selection.", "select-shrink", needs=SELECTED),
    in_viewport("select.hide", "Hide Selected", "Select", "H",
        "Take the selected Gaussians out of sight; they are still exported.", "eye-off", 1,
        needs=SELECTED),
    in_viewport("select.isolate", "Hide All but Selected", "Select", "Shift+I",
        "Show the selected Gaussians alone.", "isolate", 1, needs=SELECTED),
    in_viewport("select.unhide", "Show All", "Select", "Shift+H", "Show what is hidden.", "eye",
        1, needs=HIDDEN),
)

_TOOL_ROWS = (
    ("rect", "Rectangle", "R", "Drag a rectangle."),
    ("lasso", "Lasso", "L", "Draw around Gaussians."),
    ("polygon", "Polygon", "P", "Click corners; Enter or a double click closes."),
    ("brush", "Brush", "B", "Paint over Gaussians; [ and ] change the size."),
    ("flood", "Flood", "O", "Click: what is connected and of like colour."),
    ("picker", "Colour Picker", "Y", "Click: all Gaussians of like colour."),
    ("sphere", "Sphere", "U", "Press on the scene and drag the radius."),
    ("box", "Box", "K", "Press on the scene and drag the size."),
)
TOOL_IDS = tuple(f"tool.{name}" for name, *_ in _TOOL_ROWS)

_TOOLS = (
    *(
        in_viewport(f"tool.{name}", title, "Select", key,
            f"{tip} Shift adds, Ctrl removes, both intersect; without a tool, dragging orbits.",
            f"tool-{name}", 2, checkable=True, needs=DOCUMENT)
        for name, title, key, tip in _TOOL_ROWS
    ),
    in_viewport("tool.smaller", "Smaller Brush", "Select", "[", section=3),
    in_viewport("tool.bigger", "Larger Brush", "Select", "]", section=3),
    in_viewport("tool.depth", "Front Surface Only", "Select", "N",
        "Select only what the picture shows, not what lies behind.", "front-only", 3,
        checkable=True),
    in_viewport("tool.accept", "Finish Gesture", "Select", "Return Enter", "Close the polygon.",
        section=4),
    in_viewport("tool.none", "Leave Tool", "Select", "Escape", "Drop the gesture, then the tool.",
        section=4),
)

MODE_ACTIONS = {
    "view.mode_rgb": Mode.COLOR,
    "view.mode_sens": Mode.HEATMAP,
    "view.mode_depth": Mode.DEPTH,
    "view.mode_opacity": Mode.OPACITY,
    "view.mode_size": Mode.SIZE,
    "view.mode_error": Mode.ERROR,
    "view.mode_layers": Mode.LAYERS,
    "view.mode_figure": Mode.FIGURE,
    "view.mode_edges": Mode.EDGES,
}
_MODE_ROWS = (
    ("rgb", "Colour", "Alt+1", "Draw the scene in its own colours.", "color-mode"),
    ("sens", "Heatmap", "Alt+2", "Colour every Gaussian by the chosen score.", "heatmap"),
    ("depth", "Depth", "Alt+3", "Draw the distance from the camera.", "depth"),
    ("opacity", "Opacity", "", "Colour every Gaussian by its opacity.", "opacity-mode"),
    ("size", "Size", "", "Colour every Gaussian by its largest axis.", "size-mode"),
    ("layers", "Layers", "Alt+5", "Colour every Gaussian by its layer in depth.", "layers"),
    ("figure", "Figure and Ground", "", "Part the picture by its depth.", "figure"),
    ("edges", "Edges of Layers", "", "Draw lines where layers in depth begin.", "edges"),
    ("error", "Error against Photo", "Alt+6", "Show where picture and photo differ.", "error-mode"),
)

OVERLAY_ACTIONS = {
    "view.grid": Overlay.GRID,
    "view.frustums": Overlay.FRUSTUMS,
    "view.box": Overlay.BOX,
    "view.info": Overlay.INFO,
    "view.cube": Overlay.CUBE,
    "view.probe": Overlay.PROBE,
}
_OVERLAY_ROWS = (
    ("view.grid", "Grid", "G", "A plane at the floor of the scene, with the axes.", "grid"),
    ("view.frustums", "Cameras", "C", "Where the photos were taken; click one.", "frustums"),
    ("view.box", "Bounding Box", "", "The extent of scene and selection.", "bounding-box"),
    ("view.info", "Information", "I", "Gaussians drawn, time and size of the picture.", "info"),
    ("view.cube", "View Cube", "", "The axes; click a face to look along one.", "cube"),
    ("view.probe", "Pixel Probe", "", "Which Gaussians make the pixel under the mouse.", "probe"),
)

_VIEW = (
    *(
        ActionSpec(f"view.mode_{name}", title, "View", keys=(keys,) if keys else (), tip=tip,
            icon=icon, group="mode", short=title.split()[0])
        for name, title, keys, tip, icon in _MODE_ROWS
    ),
    *(
        in_viewport(id, title, "View", keys, tip, icon, 1, checkable=True)
        for id, title, keys, tip, icon in _OVERLAY_ROWS
    ),
    in_viewport("view.rings", "Centres, Rings or Neither", "View", "M",
        "Mark every Gaussian by its centre, by its outline, or not at all.", "rings", 1),
    in_viewport("view.overlay", "All Overlays", "View", "Tab",
        "Show or hide all that lies over the picture.", "overlay", 1, checkable=True),
    ActionSpec("view.engine_auto", "Automatic", "View/Drawn by", 2, group="engine",
        tip="CUDA where the scene is there, else OpenGL on a GPU, else the CPU."),
    ActionSpec("view.engine_rasterizer", "Rasterizer (CUDA or CPU)", "View/Drawn by", 2,
        group="engine", tip="The exact picture, the same as the command line draws."),
    ActionSpec("view.engine_opengl", "OpenGL Splats", "View/Drawn by", 2, group="engine",
        tip="Sorted quads on any graphics card; while moving, only the worthiest that fit."),
    *(
        ActionSpec(f"view.background_{backdrop}", backdrop.capitalize(), "View/Background", 2,
            group="background", tip=f"Draw on {backdrop}.")
        for backdrop in Backdrop
    ),
    ActionSpec("app.fullscreen", "Full Screen", "View", icon="full-screen", section=3,
        keys=("F11",), checkable=True),
)

_CAMERA = (
    in_viewport("cam.frame", "Frame Selection or Scene", "Camera", "F",
        "Move the camera until it is all in view.", "frame", short="Frame", needs=DOCUMENT),
    in_viewport("cam.reset", "Reset Camera", "Camera", "Shift+F Home",
        "Go back to the view at opening.", "reset-view", short="Reset", needs=DOCUMENT),
    in_viewport("cam.mode", "Fly", "Camera", "V", "W A S D Q E fly, dragging looks around.",
        "fly", 1, checkable=True),
    in_viewport("cam.ortho", "Orthographic", "Camera", "5", "Parallel rays: no perspective.",
        "ortho", 1, checkable=True),
    in_viewport("cam.prev", "Previous View", "Camera", "Left",
        "Go to the previous camera of the dataset.", "camera-prev", 2, needs=VIEWS),
    in_viewport("cam.next", "Next View", "Camera", "Right",
        "Go to the next camera of the dataset.", "camera-next", 2, needs=VIEWS),
    in_viewport("cam.nearest", "Nearest View", "Camera", "J",
        "Go to the camera of the dataset that is nearest to this view.", "camera-nearest", 2,
        needs=VIEWS),
)
UP_AXES = ("-y", "+y", "+z", "-z", "+x", "-x")
_UP = (
    ActionSpec("up.auto", "Automatic", "Camera/Up Axis", section=3, group="up",
        tip="From the cameras, or -y as most scenes have it.", needs=DOCUMENT),
    *(
        ActionSpec(f"up.{axis}", axis.replace("-", "−").upper(), "Camera/Up Axis", section=3,
            group="up", needs=DOCUMENT)
        for axis in UP_AXES
    ),
)

_COMPARE_ROWS = (
    ("off", "Off", "Show one picture.", "compare-off"),
    ("wipe", "Wipe", "A on the left of a line to drag, B on the right.", "compare-wipe"),
    ("side", "Side by Side", "A and B beside each other.", "compare-side"),
    ("difference", "Difference", "Where A and B differ.", "compare-difference"),
)
_COMPARE = (
    *(
        ActionSpec(f"compare.{name}", title, "Compare", group="compare", tip=tip, icon=icon,
            needs=DOCUMENT)
        for name, title, tip, icon in _COMPARE_ROWS
    ),
    ActionSpec("compare.cycle", "Next Way to Compare", "Compare", section=1, keys=("Ctrl+\\",),
        tip="Off, wipe, side by side, difference.", needs=DOCUMENT),
    in_viewport("compare.flip", "Show the Other Side", "Compare", "X \\", "Hold to see B alone.",
        "compare-flip", 1, checkable=True, held=True, needs=DOCUMENT),
    in_viewport("compare.swap", "Swap A and B", "Compare", "Shift+X", icon="compare-swap",
        section=1, needs=DOCUMENT),
    ActionSpec("compare.keep_a", "Keep This State as A", "Compare", section=1,
        keys=("Ctrl+Shift+B",),
        tip="Take a snapshot of what is visible now, to compare with later.", icon="snapshot",
        needs=DOCUMENT),
)

_RUN = (
    ActionSpec("job.score", "Compute Scores", "Run",
        tip="Measure what every Gaussian is worth, with the settings of the Sensitivity panel.",
        icon="score", needs=IDLE),
    ActionSpec("job.measure", "Measure Quality", "Run", icon="metrics", needs=IDLE,
        tip="Compare with the photos, or with the scene as opened; see the Metrics panel."),
    ActionSpec("job.run", "Run Active Panel", "Run", keys=("Ctrl+Return",),
        tip="Run what the panel in front is for.", icon="play", needs=IDLE),
    ActionSpec("job.pause", "Pause or Resume Job", "Run", section=1,
        tip="Hold the running job, or let it go on.", icon="pause", needs=BUSY),
    ActionSpec("job.cancel", "Cancel Job", "Run", section=1, keys=("Ctrl+.",),
        tip="Stop the running job; the scene stays as it was.", icon="cancel", needs=BUSY),
)

_WINDOW = (
    ActionSpec("workspace.inspect", "Inspect", "Window/Workspace", group="workspace",
        tip="Look, probe and compare."),
    ActionSpec("workspace.prune", "Prune", "Window/Workspace", group="workspace",
        tip="Score and prune."),
    ActionSpec("workspace.clean", "Clean Up", "Window/Workspace", group="workspace",
        tip="Select and delete by hand."),
    ActionSpec("panel.scene", "Scene", "Window", icon="sample", section=1, checkable=True),
    ActionSpec("panel.cameras", "Cameras", "Window", icon="cameras", section=1, checkable=True),
    ActionSpec("panel.sensitivity", "Sensitivity", "Window", icon="score", section=1,
        keys=("Ctrl+1",), checkable=True),
    ActionSpec("panel.prune", "Prune", "Window", icon="prune", section=1, keys=("Ctrl+2",),
        checkable=True),
    ActionSpec("panel.refine", "Refine", "Window", icon="refine", section=1, keys=("Ctrl+6",),
        tip="Cut in rounds and refine what is left.", checkable=True),
    ActionSpec("panel.compress", "Compress", "Window", icon="compress", section=1,
        keys=("Ctrl+3",), tip="Try formats and nets, and save the smallest that is good enough.",
        checkable=True),
    ActionSpec("panel.layers", "Layers", "Window", icon="layers", section=1, keys=("Ctrl+4",),
        tip="Peel the scene by depth, layer by layer.", checkable=True),
    ActionSpec("panel.histogram", "Data", "Window", icon="data", section=1, keys=("Ctrl+D",),
        tip="Histogram of any property or score.",
        checkable=True),
    ActionSpec("panel.scatter", "Scatter", "Window", icon="scatter", section=1, checkable=True),
    ActionSpec("panel.metrics", "Metrics", "Window", icon="metrics", section=1,
        tip="PSNR, SSIM and LPIPS of every view, size and speed.", checkable=True),
    ActionSpec("panel.jobs", "Jobs", "Window", icon="jobs", section=1, keys=("Ctrl+5",),
        checkable=True),
    ActionSpec("panel.history", "History", "Window", icon="history", section=1, checkable=True),
    ActionSpec("panel.messages", "Messages", "Window", icon="messages", section=1, checkable=True),
    ActionSpec("panel.hide_all", "Hide or Show All Panels", "Window", icon="panels", section=2,
        keys=("F12",)),
    ActionSpec("panel.fold", "Fold Panels Below", "Window", icon="fold", section=2,
        keys=("Shift+F12",), checkable=True,
        tip="Leave only the tabs of the panels below the picture; a click on one opens them."),
    ActionSpec("panel.reset_layout", "Reset Layout", "Window", section=2,
        tip="Put every panel back to its first place."),
    ActionSpec("app.next_pane", "Next Pane", "Window", section=3, keys=("F6",)),
    ActionSpec("app.prev_pane", "Previous Pane", "Window", section=3, keys=("Shift+F6",)),
)

_HELP = (
    ActionSpec("app.palette", "Command Palette", "Help", keys=("Ctrl+Shift+P",),
        short="Find a command",
        tip="Find anything that can be done, by name.", icon="search"),
    ActionSpec("app.help", "Keyboard and Mouse", "Help", keys=("F1",), icon="help"),
    ActionSpec("app.about", "About Splatscope", "Help"),
)

ACTIONS = (
    *_FILE,
    *_EDIT,
    *_SELECT,
    *_TOOLS,
    *_VIEW,
    *_CAMERA,
    *_UP,
    *_COMPARE,
    *_RUN,
    *_WINDOW,
    *_HELP,
)

# fmt: on

SPECS = {spec.id: spec for spec in ACTIONS}
"""The actions by id."""

TOOL_BAR = (
    ("file.open", "file.export"),
    ("edit.undo", "edit.redo"),
    ("cam.frame", "cam.reset", "cam.mode", "cam.ortho"),
    ("select.all", "select.none", "select.invert", "edit.delete"),
)
SIDE_BAR = (TOOL_IDS,)
"""The bar of tools at the left of the viewport."""

MOUSE = (
    ("Left drag", "The tool in use; orbit without one, look around while flying"),
    ("Middle drag", "Orbit"),
    ("Right drag, Shift+middle drag", "Pan"),
    ("Wheel, pinch", "Move towards the pointer; speed while flying"),
    ("Double click", "Set the centre of rotation under the pointer"),
    ("Shift, Ctrl, both while selecting", "Add, remove, intersect"),
    ("Ctrl+wheel", "Size of the brush"),
    ("Ctrl+click with the pixel probe", "Select the Gaussian that weighs most there"),
)
HELD_KEYS = (
    ("W A S D", "Fly forwards, left, backwards, right"),
    ("Q E", "Fly down, up"),
    ("Shift, Alt while flying", "Faster, slower"),
)
"""Keys of the viewport that act while they are held and stand in no menu."""
