"""Losses, derived, proved and trained: the code of the book "Where the Gradients Come
From"."""
