"""Choosing a fitted model: one that ships, or a file."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from grisaille.desktop.maker import Model


class ModelBox(QWidget):
    """The models of a panel, with what each is and is not for."""

    def __init__(self, models: tuple[Model, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = QComboBox()
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(14)
        self.choice.setAccessibleName("Model")
        self.file = QPushButton("File…")
        self.file.setToolTip("Use a model that you fitted or were given (.safetensors)")
        self.about = QLabel()
        self.about.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.choice, 1)
        row.addWidget(self.file)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self.about)
        self.choice.currentIndexChanged.connect(self._on_chosen)
        self.file.clicked.connect(self._on_file)
        for model in models:
            self.add(model)
        self.choice.setCurrentIndex(0 if models else -1)
        self._on_chosen()

    @property
    def model(self) -> Model | None:
        """The chosen model."""
        chosen = self.choice.currentData()
        return chosen if isinstance(chosen, Model) else None

    def add(self, model: Model) -> None:
        """Offer ``model`` and choose it; one of the same ``ref`` is replaced."""
        for index in range(self.choice.count()):
            if self.choice.itemData(index).ref == model.ref:
                self.choice.removeItem(index)
                break
        self.choice.addItem(model.title, model)
        self.choice.setCurrentIndex(self.choice.count() - 1)

    def add_file(self, path: Path) -> None:
        """Offer the model in this file and choose it."""
        self.add(Model(str(path), path.name, f"From {path.parent}"))

    def _on_chosen(self) -> None:
        about = self.model.about if self.model is not None else "No model ships yet: fit one, or choose a file."
        self.about.setText(about)
        self.about.setVisible(bool(about))

    def _on_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.safetensors)")
        if path:
            self.add_file(Path(path))
