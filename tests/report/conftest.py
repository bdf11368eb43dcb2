"""Ladders to report on."""

from tests.ladders import five, sixteen

__all__ = ["five", "sixteen"]
