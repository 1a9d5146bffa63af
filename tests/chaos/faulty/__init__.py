"""An app for the processes under test: its jobs note that they ran, its faults strike to order."""
