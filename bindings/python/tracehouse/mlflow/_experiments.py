"""Deletes that touch both stores: runs and experiments of MLflow's file, their traces and assessments here."""

from __future__ import annotations

from tracehouse.mlflow._base import Base


class Experiments(Base):
    """Deletes that touch both stores: runs and experiments of MLflow's file, their traces and assessments here."""
