"""What the middle of the window shows while no scene is open."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

MAX_RECENT = 5


class Welcome(QWidget):
    """Two ways to begin, the files opened last, and a place to drop files."""

    open_asked = Signal()
    demo_asked = Signal()
    recent_asked = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAutoFillBackground(True)
        title = QLabel("Splatscope")
        title.setObjectName("welcome-title")
        line = QLabel("See what every Gaussian is worth, and keep only those that matter.")
        line.setObjectName("welcome-line")
        line.setWordWrap(True)
        line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.open_button = QPushButton("Open a scene…")
        self.open_button.setProperty("primary", True)
        self.open_button.setToolTip("Open Scene (Ctrl+O)")
        self.open_button.clicked.connect(self.open_asked)
        self.demo_button = QPushButton("Open the demo scene")
        self.demo_button.setToolTip("Open the still life that comes along.")
        self.demo_button.clicked.connect(self.demo_asked)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.demo_button)
        buttons.addStretch(1)
        drop = QLabel("or drop a scene file anywhere on this window")
        drop.setProperty("role", "muted")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addStretch(2)
        layout.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(line)
        layout.addSpacing(8)
        layout.addLayout(buttons)
        layout.addWidget(drop, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(16)
        layout.addLayout(self._recent)
        layout.addStretch(3)

    def show_recent(self, paths: list[Path]) -> None:
        """List the files opened last, newest first."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for path in paths[:MAX_RECENT]:
            button = QPushButton(path.name)
            button.setObjectName("recent")
            button.setToolTip(str(path))
            button.setAccessibleName(f"Open {path.name}")
            button.clicked.connect(lambda _checked=False, path=path: self.recent_asked.emit(path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
