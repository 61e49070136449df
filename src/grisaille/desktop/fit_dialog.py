"""Choosing the healthy studies to fit on, and where to save the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from grisaille.core.config import Config
from grisaille.core.errors import GrisailleError
from grisaille.desktop.form import ConfigForm
from grisaille.desktop.maker import Maker
from grisaille.desktop.settings import preferences

FEWEST = 2
"""Patients that a fit needs, as the promise is measured on those left out."""


_ON_WHOM = {False: "patients left out of the fit", True: "all of them, with the settings below"}


@dataclass(frozen=True)
class FitOrder:
    """Settings, one study a folder, and the file that the model is saved to.

    ``model`` is the one whose promise is measured on them; none if one is fitted.
    """

    config: Config
    folders: tuple[Path, ...]
    out: Path
    model: str = ""


class FitDialog(QDialog):
    """Collects a ``FitOrder``; nothing is read before it is accepted.

    With a ``model``, whose settings are ``config``, its promise is measured; else one is fitted.
    """

    def __init__(
        self, maker: Maker, parent: QWidget | None = None, model: str = "", config: Config | None = None
    ) -> None:
        super().__init__(parent)
        self._model = model
        verb = "Calibrate" if model else "Fit"
        self.setWindowTitle(f"{verb} {maker.title} on my healthy studies")
        self.resize(600, 560)
        self.form = ConfigForm(maker.config_class, is_fitted=bool(model))
        if config is not None:
            self.form.show_config(config)
        settings = QScrollArea()
        settings.setWidgetResizable(True)
        settings.setFrameShape(QScrollArea.Shape.NoFrame)
        settings.setWidget(self.form)
        explained = QLabel(
            "Choose studies of people without disease, one folder a study (DICOM, or CT*.nii.gz and PET*.nii.gz), "
            f"from your own scanner. The promise on false positives is measured on {_ON_WHOM[bool(model)]}: "
            "20 or more are needed for a useful one. Nothing leaves this computer; the model file holds what was "
            "learned, and no images."
        )
        explained.setWordWrap(True)
        self.folders = QListWidget()
        self.folders.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        add = QPushButton("Add a study…")
        add_all = QPushButton("Add all in a folder…")
        add_all.setToolTip("Every subfolder is one study")
        remove = QPushButton("Remove")
        row = QHBoxLayout()
        for button in (add, add_all, remove):
            row.addWidget(button)
        row.addStretch(1)
        out = (preferences().weights_folder or Path.home()) / f"my-{maker.name}.safetensors"
        self.out = QLineEdit(str(out))
        browse = QPushButton("…")
        saving = QHBoxLayout()
        saving.addWidget(QLabel("Save to"))
        saving.addWidget(self.out, 1)
        saving.addWidget(browse)
        self.count = QLabel()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(verb)
        layout = QVBoxLayout(self)
        layout.addWidget(explained)
        layout.addWidget(self.folders, 1)
        layout.addLayout(row)
        layout.addWidget(settings, 1)
        layout.addLayout(saving)
        layout.addWidget(self.count)
        layout.addWidget(self.buttons)
        add.clicked.connect(self._on_add)
        add_all.clicked.connect(self._on_add_all)
        remove.clicked.connect(self._on_remove)
        browse.clicked.connect(self._on_browse)
        self.out.textChanged.connect(lambda _: self._check())
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._check()

    @property
    def order(self) -> FitOrder:
        """What was chosen.

        Raises
        ------
        ConfigError
            If a setting is out of its bounds.
        """
        return FitOrder(self.form.config(), self._chosen(), Path(self.out.text()).expanduser(), self._model)

    def accept(self) -> None:
        """Close, unless a setting cannot be taken."""
        try:
            self.form.config()
        except GrisailleError as error:
            self.count.setText(str(error))
        else:
            super().accept()

    def _chosen(self) -> tuple[Path, ...]:
        return tuple(Path(self.folders.item(row).text()) for row in range(self.folders.count()))

    def add(self, *folders: Path) -> None:
        """Take these study folders, each once."""
        known = set(self._chosen())
        self.folders.addItems([str(folder) for folder in folders if folder not in known])
        self._check()

    def _check(self) -> None:
        count = self.folders.count()
        missing = f"; at least {FEWEST} are needed" if count < FEWEST else ""
        self.count.setText(f"{count} {'study' if count == 1 else 'studies'}{missing}")
        is_ready = count >= FEWEST and bool(self.out.text().strip())
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(is_ready)

    def _on_add(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of one study")
        if folder:
            self.add(Path(folder))

    def _on_add_all(self) -> None:
        parent = QFileDialog.getExistingDirectory(self, "Folder of study folders")
        if parent:
            self.add(*sorted(one for one in Path(parent).iterdir() if one.is_dir() and not one.name.startswith(".")))

    def _on_remove(self) -> None:
        for item in self.folders.selectedItems():
            self.folders.takeItem(self.folders.row(item))
        self._check()

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the model", self.out.text(), "Models (*.safetensors)")
        if path:
            self.out.setText(path)
