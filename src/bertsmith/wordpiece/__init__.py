"""The wordpiece room."""
