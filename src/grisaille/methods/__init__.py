"""The methods, behind one protocol."""
