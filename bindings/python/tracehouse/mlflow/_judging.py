"""Assessments of the store, and links of traces to runs and prompts."""

from __future__ import annotations

import time

from mlflow.entities import Assessment, Expectation, Feedback
from mlflow.entities.assessment import ExpectationValue, FeedbackValue
from mlflow.entities.model_registry import PromptVersion
from mlflow.exceptions import MlflowException
from mlflow.store.tracking import MAX_TRACE_LINKS_PER_REQUEST

from tracehouse.mlflow import _calls
from tracehouse.mlflow._assessments import assessment_row, mlflow_assessment
from tracehouse.mlflow._base import Base
from tracehouse.mlflow._errors import not_found
from tracehouse.mlflow._ids import plain_trace_id
from tracehouse.mlflow._operations import trace_row
from tracehouse.trace import Assessment as Row


class Judging(Base):
    """What MLflow asks and writes of assessments, and what it links."""

    def create_assessment(self, assessment: Assessment) -> Assessment:
        """Stores an assessment; one that it overrides is no longer valid."""
        trace_id = str(assessment.trace_id)
        row = {**assessment_row(assessment, trace_id), "valid": True}
        try:
            self._write("create_assessment", row=row)
        except MlflowException as error:
            message = f"Trace with ID '{trace_id}' not found."
            if assessment.overrides and self._assessments_of(trace_id) is not None:
                message = f"Assessment with ID '{assessment.overrides}' not found for trace '{trace_id}'"
            raise _calls.missing(error, message) from None
        return self.get_assessment(trace_id, str(assessment.assessment_id))

    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        """An assessment of a trace."""
        return mlflow_assessment(self._assessment(trace_id, assessment_id), trace_id)

    def update_assessment(
        self,
        trace_id: str,
        assessment_id: str,
        name: str | None = None,
        expectation: ExpectationValue | None = None,
        feedback: FeedbackValue | None = None,
        rationale: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Assessment:
        """Changes an assessment; what is not given stays, and metadata is laid over."""
        row = self._assessment(trace_id, assessment_id)
        changed = mlflow_assessment(row, trace_id)
        if expectation is not None and feedback is not None:
            raise MlflowException.invalid_parameter_value(
                "Cannot specify both `expectation` and `feedback` parameters."
            )
        if expectation is not None and not isinstance(changed, Expectation):
            raise MlflowException.invalid_parameter_value("Cannot update expectation value on a Feedback assessment.")
        if feedback is not None and not isinstance(changed, Feedback):
            raise MlflowException.invalid_parameter_value("Cannot update feedback value on an Expectation assessment.")
        if name is not None:
            changed.name = name
        if expectation is not None:
            changed.expectation = expectation
        if feedback is not None:
            changed.feedback = feedback
        if rationale is not None:
            changed.rationale = rationale
        changed.metadata = {**(changed.metadata or {}), **(metadata or {})} or None
        changed.last_update_time_ms = max(time.time_ns() // 1_000_000, changed.last_update_time_ms or 0)
        self._write("put_assessments", assessments=[assessment_row(changed, trace_id)])
        return self.get_assessment(trace_id, assessment_id)

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        """Deletes an assessment, if it is there; the one it overrode is valid again."""
        self._write("delete_assessment", trace_id=plain_trace_id(trace_id), assessment_id=assessment_id)

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        """Links traces to a run. Ids of no trace are left out: MLflow does not look."""
        if not trace_ids:
            return
        if len(trace_ids) > MAX_TRACE_LINKS_PER_REQUEST:
            raise MlflowException.invalid_parameter_value(
                f"Cannot link more than {MAX_TRACE_LINKS_PER_REQUEST} traces to a run in "
                f"a single request. Provided {len(trace_ids)} traces."
            )
        there = [plain_trace_id(info.trace_id) for info in self.batch_get_trace_infos(trace_ids)]
        if there:
            self._write("link_traces_to_run", trace_ids=there, run_id=run_id)

    def link_prompts_to_trace(self, trace_id: str, prompt_versions: list[PromptVersion]) -> None:
        """Links versions of prompts to a trace."""
        if not prompt_versions:
            return
        prompts = [f"{prompt.name}/{prompt.version}" for prompt in prompt_versions]
        try:
            self._write("link_prompts_to_trace", trace_id=plain_trace_id(trace_id), prompts=prompts)
        except MlflowException as error:
            raise _calls.missing(error, f"Trace with ID '{trace_id}' not found.") from None

    def _assessment(self, trace_id: str, assessment_id: str) -> Row:
        found = self._assessments_of(trace_id)
        if found is None:
            raise not_found(f"Trace with request_id '{trace_id}' not found")
        for row in found:
            if row.assessment_id == assessment_id:
                return row
        raise not_found(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'")

    def _assessments_of(self, trace_id: str) -> list[Row] | None:
        """The assessments of a trace; `None` when there is no such trace."""
        plain = plain_trace_id(trace_id)
        with self._reading() as database:
            return None if trace_row(database, plain) is None else database.assessments(plain)
