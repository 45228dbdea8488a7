"""Evaluation datasets of the store."""

from __future__ import annotations

from tracehouse.mlflow._base import Base


class Datasets(Base):
    """Evaluation datasets of the store."""
