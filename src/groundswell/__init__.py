"""Groundswell: social-media sentiment, from the post to the model and back."""

__version__ = "0.1.0"
