"""Figures of the store: metrics, correlation of filters, completed sessions."""

from __future__ import annotations

from tracehouse.mlflow._base import Base


class Measuring(Base):
    """Figures of the store: metrics, correlation of filters, completed sessions."""
