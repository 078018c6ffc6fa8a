"""The batches room."""
