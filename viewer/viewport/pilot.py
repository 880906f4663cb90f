"""Who moves the viewport's camera: flights to views, held keys, and where home is."""

from collections.abc import Callable
from dataclasses import replace
from math import radians

import numpy as np
from PySide6.QtCore import QObject, QTimer, QVariantAnimation, Signal

from core.cameras import Camera, Matrix
from core.framing import SceneFrame, scene_frame
from core.rigs import default_view
from viewer.session import Session
from viewer.viewport.fly import FlyKeys
from viewer.viewport.frames import Survey, Surveyed
from viewer.viewport.navigation import Navigator, Pose

FLIGHT_MS = 220
MOST_STEP_BACK = 1.3
"""How much farther than is usual for its scene a view opens at most, to have all in sight."""
IMAGE_MARGIN = 1.15
"""How much more than the image is seen at its own camera, so that its border shows."""
SPEED_SHOWN_MS = 1000
STEEPEST = radians(60)
"""Of the view after choosing another up axis."""

UP_AXES = {
    "-y": (0.0, -1.0, 0.0),
    "+y": (0.0, 1.0, 0.0),
    "+z": (0.0, 0.0, 1.0),
    "-z": (0.0, 0.0, -1.0),
    "+x": (1.0, 0.0, 0.0),
    "-x": (-1.0, 0.0, 0.0),
}
"""What can be called up, by name."""


class Pilot(QObject):
    """Moves a navigator by everything but the mouse.

    Parameters
    ----------
    session
        Whose document and views it flies to.
    size
        Gives the picture's size in physical pixels.
    """

    moved = Signal()
    surveyed_changed = Signal()
    """Another scene, other views or another up axis."""
    view_shown = Signal(int)
    mode_changed = Signal()
    """Orbiting or flying, perspective or parallel; or the speed is to be shown or not."""

    def __init__(
        self, session: Session, size: Callable[[], tuple[int, int]], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.navigator = Navigator()
        self.keys = FlyKeys(self)
        self.keys.flown.connect(self._fly_by_keys)
        self.fly_mode = False
        """Whether dragging looks around and the wheel sets the speed."""
        self.up_axis: str | None = None
        """The up axis that a person chose, a key of :data:`UP_AXES`; kept for other scenes."""
        self.frame: SceneFrame | None = None
        """Where the document's scene is; None until it was surveyed."""
        self._session = session
        self._size = size
        self._home: Camera | None = None
        self._surveyed: Surveyed | None = None
        self._view_number = -1
        self._goal: int | None = None
        self._standing: int | None = None
        self._flight = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=FLIGHT_MS)
        self._flight.valueChanged.connect(self._advance)
        self._poses: tuple[Pose, Pose] = (self.navigator.pose, self.navigator.pose)
        self._speed_timer = QTimer(self, singleShot=True, interval=SPEED_SHOWN_MS)
        self._speed_timer.timeout.connect(self.mode_changed)

    # Where it is

    @property
    def current_view(self) -> int | None:
        """The number of the dataset's view that the camera stands at exactly."""
        return self._standing

    @property
    def moving(self) -> bool:
        """Whether a flight or a held key moves the camera."""
        return self.keys.flying or self._flight.state() == QVariantAnimation.State.Running

    @property
    def speed_shown(self) -> bool:
        """Whether the flying speed was changed a moment ago."""
        return self._speed_timer.isActive()

    # The document

    def start_document(self) -> None:
        """Another document is there, and not yet surveyed."""
        self.stop()
        self.frame = self._home = self._surveyed = None
        self.start_views()

    def start_views(self) -> None:
        """The document has other views."""
        self._view_number = -1
        self._goal = self._standing = None

    def take_survey(self, surveyed: Surveyed) -> None:
        """Opened scenes are shown from their best side; later surveys leave the camera alone."""
        opening = self._surveyed is None
        self._surveyed = surveyed
        self._home = surveyed.home
        self.frame = replace(surveyed.frame, up=self._up_of(surveyed))
        self.navigator.radius = max(surveyed.frame.radius, 1e-9)
        if opening:
            self._take_home()
        else:
            self._end_flight()
            self.navigator.turn_up(self.frame.up)
        self.surveyed_changed.emit()
        self.moved.emit()
        if self.up_axis is not None:
            self._find_home(opening)

    # Where to go

    def frame_scene(self) -> None:
        """Fit the selected Gaussians into the picture, or all where none is selected."""
        document, frame = self._session.document, self.frame
        if document is None or frame is None:
            return
        selected, visible, scene = document.selected, document.visible, document.scene
        up = frame.up
        if document.selected_count:
            mask = selected
        elif document.visible_count and (document.visible_count < len(scene) or self._is_other):
            mask = visible
        else:
            self._frame(frame)
            return

        def take(found: SceneFrame) -> None:
            if self._session.document is document:
                self._frame(found)

        self._session.asker.ask("frame", lambda: scene_frame(scene.select(mask), up), take)

    def reset(self) -> None:
        """Go back to the view that the scene opened with."""
        if self._home is not None:
            before = self.navigator.pose
            self._take_home()
            self._fly_from(before, self._standing)

    def go_to(self, camera: Camera, goal: int | None = None) -> None:
        """Fly to a camera's place, direction and field of view; ``goal`` is the view's number."""
        before = self.navigator.pose
        parallel = self.navigator.orthographic
        self.navigator.go_to(camera)
        self._fly_from(before, goal)
        if parallel:
            self.mode_changed.emit()

    def show_view(self, number: int) -> None:
        """Fly to one of the dataset's cameras, by its number."""
        document = self._session.document
        if document is not None and 0 <= number < len(document.views):
            self._view_number = number
            self.go_to(self._with_margin(document.views[number].camera), number)
            self.view_shown.emit(number)

    def step_view(self, step: int) -> None:
        """Fly to the next or the previous of the dataset's cameras."""
        count = self._count_views()
        if count:
            first = 0 if step > 0 else count - 1
            number = self._view_number
            self.show_view(first if number < 0 else (number + step) % count)

    def nearest_view(self) -> None:
        """Fly to the dataset's camera that sees most nearly what is seen now.

        A scene radius between the places counts as much as a radian between the directions.
        """
        if not self._count_views():
            return
        document = self._session.document
        assert document is not None
        here = self.navigator.camera(*self._size())
        rotation, pose = self.navigator.rotation, self.navigator.pose
        eye = pose.pivot - rotation[2] * pose.distance
        cameras = [view.camera for view in document.views]
        apart = np.linalg.norm([camera.position - eye for camera in cameras], axis=1)
        cosines = np.stack([camera.forward for camera in cameras]) @ here.forward
        cost = apart / self.navigator.radius + np.arccos(np.clip(cosines, -1, 1))
        self.show_view(int(cost.argmin()))

    def look_along(self, direction: Matrix) -> None:
        """Fly around the pivot until a direction, ``(3,)``, is the viewing direction."""
        before = self.navigator.pose
        self.navigator.look_along(direction)
        self._fly_from(before)

    def orbit(self, dx: float, dy: float) -> None:
        """Turn about the pivot by a drag in pixels."""
        self.stop()
        self.navigator.orbit(dx, dy)
        self.moved_by_hand()

    def set_pivot(self, point: Matrix) -> None:
        """Fly until a point is in the middle; it is orbited then."""
        before = self.navigator.pose
        self.navigator.set_pivot(point)
        self._fly_from(before)

    # How to go

    def set_fly_mode(self, flying: bool) -> None:
        """Look around by dragging, or orbit."""
        if flying != self.fly_mode:
            self.fly_mode = flying
            self.mode_changed.emit()

    def set_orthographic(self, parallel: bool) -> None:
        """Show a parallel view, or perspective; what is at the pivot keeps its size."""
        if parallel != self.navigator.orthographic:
            self._end_flight()
            self.navigator.orthographic = parallel
            self.moved_by_hand()
            self.mode_changed.emit()

    def set_up_axis(self, axis: str | None) -> None:
        """Choose what is up, a key of :data:`UP_AXES`; None for what the views or files say."""
        if axis == self.up_axis:
            return
        self.up_axis = axis
        surveyed = self._surveyed
        if surveyed is None:
            return
        self._end_flight()
        self.frame = replace(surveyed.frame, up=self._up_of(surveyed))
        self.navigator.turn_up(self.frame.up)
        before = self.navigator.pose
        self.navigator.pose = replace(
            before, roll=0.0, pitch=min(max(before.pitch, -STEEPEST), STEEPEST)
        )
        self._fly_from(before)
        self._home = surveyed.home
        if axis is not None:
            self._find_home(False)
        self.surveyed_changed.emit()

    def change_speed(self, steps: float) -> None:
        """Fly faster or slower by turns of the wheel."""
        self.keys.change_speed(steps)
        self._speed_timer.start()
        self.mode_changed.emit()

    def moved_by_hand(self) -> None:
        """The navigator was moved: the camera stands at no view any more."""
        self._goal = self._standing = None
        self.moved.emit()

    def stop(self) -> None:
        """Stop where it is: a hand takes over."""
        self._flight.stop()
        self._goal = None

    def shut_down(self) -> None:
        """Stop all that moves by itself."""
        self.stop()
        self.keys.let_go()
        self._speed_timer.stop()

    @property
    def _is_other(self) -> bool:
        """Whether the document's scene is another than the one that was surveyed."""
        document, surveyed = self._session.document, self._surveyed
        return (
            document is not None
            and surveyed is not None
            and document.scene is not surveyed.survey.scene
        )

    def _up_of(self, surveyed: Surveyed) -> Matrix:
        return surveyed.frame.up if self.up_axis is None else np.array(UP_AXES[self.up_axis])

    def _frame(self, found: SceneFrame) -> None:
        before = self.navigator.pose
        if found.box is None:
            self.navigator.frame(found.center, found.radius)
        else:
            self.navigator.frame_box(found.box)
        self._fly_from(before)

    def _take_home(self) -> None:
        assert self.frame is not None
        assert self._home is not None
        self.navigator.set_up(self.frame.up)
        self.navigator.frame(self.frame.center, self.frame.radius)
        self.navigator.go_to(self._home)
        self._goal = self._standing = None
        views = () if self._surveyed is None else self._surveyed.survey.views
        if not views and self.frame.box is not None:
            self.navigator.step_back(self.frame.box, MOST_STEP_BACK)
        if len(views) == 1:
            self.navigator.go_to(self._with_margin(views[0].camera))
            self._view_number = self._standing = 0
            self.view_shown.emit(0)

    def _with_margin(self, camera: Camera) -> Camera:
        """A view's camera; an image's sees a little more."""
        if self._session.own_camera is None:
            return camera
        return replace(camera, K=np.diag([1 / IMAGE_MARGIN, 1 / IMAGE_MARGIN, 1]) @ camera.K)

    def _find_home(self, go: bool) -> None:
        """Have a home that is upright for the chosen axis; go there at once if asked to."""
        surveyed = self._surveyed
        if surveyed is None or surveyed.survey.views:
            return
        survey: Survey = surveyed.survey
        up = self._up_of(surveyed)

        def take(home: Camera) -> None:
            if self._surveyed is surveyed and np.array_equal(up, self._up_of(surveyed)):
                self._home = home
                if go:
                    self._take_home()
                    self.moved.emit()

        self._session.asker.ask(
            "home", lambda: default_view(survey.scene, survey.size, survey.views, up), take
        )

    def _count_views(self) -> int:
        document = self._session.document
        if document is None or not document.views:
            self._session.notified.emit("info", "No cameras yet. Attach photos and cameras first.")
            return 0
        return len(document.views)

    def _fly_by_keys(self, right: float, up: float, forward: float) -> None:
        self.stop()
        radius = self.navigator.radius
        self.navigator.fly(right * radius, up * radius, forward * radius)
        self.moved_by_hand()

    def _fly_from(self, before: Pose, goal: int | None = None) -> None:
        """Ease from a pose to the navigator's present one."""
        self._flight.stop()
        self._goal, self._standing = goal, None
        self._poses = (before, self.navigator.pose)
        self._advance(0.0)
        self._flight.start()

    def _advance(self, share: float) -> None:
        start, end = self._poses
        eased = share * share * (3 - 2 * share)
        self.navigator.pose = end if share >= 1 else start.mix(end, eased)
        if share >= 1:
            self._standing, self._goal = self._goal, None
        self.moved.emit()

    def _end_flight(self) -> None:
        if self._flight.state() == QVariantAnimation.State.Running:
            self._flight.stop()
            self.navigator.pose = self._poses[1]
            self._standing, self._goal = self._goal, None
