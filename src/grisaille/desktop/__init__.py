"""All of Qt, magicgui and napari."""
