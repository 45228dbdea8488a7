"""Evaluation: runs, comparisons, registered scorers. A part of `database.Database`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tracehouse import _native
from tracehouse._base import Base

if TYPE_CHECKING:
    from tracehouse.evaluation import EvalComparison, EvalRun, GroupComparison, Progress
    from tracehouse.monitoring import MonitorReport, RegisteredScorer
    from tracehouse.scoring import Scorer


class Evaluating(Base):
    """What evaluates."""

    def evaluate(
        self,
        data: Any,
        scorers: Scorer | str | Callable[..., Any] | Iterable[Scorer | str | Callable[..., Any]],
        predict_fn: Callable[..., Any] | None = None,
        name: str | None = None,
        *,
        of: str | None = None,
        version: int | None = None,
        limit: int | None = None,
        feedback: bool = True,
        concurrency: int | None = None,
        progress: Progress | bool | None = None,
        experiment_id: str = "0",
        judge_traces: str | None = None,
    ) -> EvalRun:
        """Judges everything of a source by each scorer, and stores what they say: in SQL's table `scores` and as
        feedback on the traces. Nothing that is there is replaced. What a scorer cannot judge is an error, not a score.

            run = db.evaluate("regressions", [scorers.exact_match(), "max_words:80"], predict_fn=answer)
            print(run.metrics, run.failures(3))
            print(run.compare("last week"))

        Args:
            data: a `Dataset` or its name (`NAME@3` for a version); a filter, for the traces that it holds for; a list
                of traces; or a list of dictionaries, a DataFrame, an Arrow table or a `Result` with `inputs`,
                `outputs`, `expectations` and perhaps `trace_id`.
            scorers: one or several: of `tracehouse.scorers`, texts as the command line has them (`contains:Paris`),
                functions (see `tracehouse.scorer`), `tracehouse.Judge`s.
            predict_fn: a function of the application, called with the inputs of each record or item: with their members
                by name when they are a dictionary, else with one argument. Each call is stored as a trace, and what it
                gives is judged in the place of the outputs; a call that fails is a trace with the state `ERROR`. It is
                called from several threads; it may be `async`.
            name: what the run is called; its scorers' names unless given.
            of: what a text finds: `traces` unless given, `spans`, `sessions`, or `dataset` for a name.
            version: the version of the dataset; the newest unless given.
            limit: at most so many.
            feedback: whether scores become feedback on their traces, too.
            concurrency: items judged, and calls made, at the same time; by default as many as the machine has
                processors, 8 with a judge, and 10 calls. A judge has a limit of its own, `Judge(concurrency=8)`.
            progress: a function called with items that are done and items in all; `True` shows a bar of `tqdm` where
                it is installed.
            experiment_id: the experiment of the traces of `predict_fn`.
            judge_traces: an experiment in which each call of a judge is stored as a trace; none is unless given.
                These are erased with what they judged; other runs over traces find them unless their filter leaves it
                out.

        Returns:
            The run. After an error, and after Ctrl-C, what was judged is kept: `eval_run(name).resume()` goes on.

        Raises:
            InvalidInputError: no scorers, two of one name, a wrong filter, or something that cannot be judged.
            NotFoundError: a dataset or a trace that is not there.
        """
        from tracehouse._running import carry_out, evaluate_predicted, scorers_of, source_of

        made = scorers_of(scorers)
        if predict_fn is not None:
            return evaluate_predicted(
                self._native,
                data,
                predict_fn,
                made,
                name=name,
                of=of,
                version=version,
                limit=limit,
                feedback=feedback,
                concurrency=concurrency,
                progress=progress,
                experiment_id=experiment_id,
                judge_traces=judge_traces,
            )
        source = source_of(self._native, data, of, version, limit)
        return carry_out(
            self._native,
            source,
            made,
            name=name,
            feedback=feedback,
            concurrency=concurrency,
            progress=progress,
            judge_traces=judge_traces,
        )

    def eval_runs(self) -> list[EvalRun]:
        """All evaluation runs, newest first."""
        from tracehouse.evaluation import EvalRun

        return [EvalRun(self._native, run) for run in _native.eval_runs(self._native)]

    def eval_run(self, run: str) -> EvalRun:
        """A run by its id, the beginning of its id, or its name; of several with one name the newest.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: ids of several begin so.
        """
        from tracehouse.evaluation import EvalRun

        return EvalRun(self._native, _native.eval_report(self._native, run)["run"])

    def compare_evals(self, a: EvalRun | str, b: EvalRun | str) -> EvalComparison:
        """Compares two runs item by item: only items that both judged count. Differences are those of `b` against `a`.

        Raises:
            NotFoundError: there is no such run.
        """
        from tracehouse.evaluation import EvalComparison

        of_a, of_b = (run if isinstance(run, str) else run.run_id for run in (a, b))
        return EvalComparison.of(self._native, _native.compare_evals(self._native, of_a, of_b))

    def compare_groups(self, a: str, b: str) -> GroupComparison:
        """Compares the traces of two filters: how many, errors, latency, tokens, cost, and each feedback, with 95 %
        intervals. A trace of both counts for both.

        Raises:
            InvalidInputError: a wrong filter.
        """
        from tracehouse.evaluation import GroupComparison

        return GroupComparison.of(_native.compare_groups(self._native, a, b))

    def delete_eval(self, run: EvalRun | str) -> None:
        """Deletes a run with its scores; the feedback that it gave stays on its traces.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it is being carried out.
        """
        _native.delete_eval(self._native, run if isinstance(run, str) else run.run_id)

    def register_scorer(
        self, scorer: Scorer | str | Callable[..., Any], filter: str = "", sample_rate: float = 1.0
    ) -> RegisteredScorer:
        """Registers a scorer for production, in the place of the one of its name. It judges nothing by itself:
        `run_registered` does.

        Args:
            scorer: as in `evaluate`.
            filter: the traces that it judges; empty for all.
            sample_rate: the share of them, above 0 up to 1; whether a trace is in the sample its id alone says.

        Raises:
            InvalidInputError: a wrong filter or rate, or a text that is several scorers.
        """
        from tracehouse._given import record_of
        from tracehouse._running import scorers_of
        from tracehouse.errors import InvalidInputError
        from tracehouse.monitoring import RegisteredScorer

        made = scorers_of(scorer)
        if len(made) != 1:
            raise InvalidInputError(f"{len(made)} scorers: one can be registered at a time")
        native = made[0].native(self._native)
        given = _native.register_scorer(self._native, native, filter, float(sample_rate))
        return record_of(RegisteredScorer, given)

    def registered_scorers(self) -> list[RegisteredScorer]:
        """The registered scorers by name."""
        from tracehouse._given import record_of
        from tracehouse.monitoring import RegisteredScorer

        registered, _ = _native.registered_scorers(self._native)
        return [record_of(RegisteredScorer, one) for one in registered]

    def registered_reports(self) -> list[MonitorReport]:
        """What each registered scorer has done, and what waits for it."""
        from tracehouse._given import record_of
        from tracehouse.monitoring import MonitorReport

        _, reports = _native.registered_scorers(self._native)
        return [record_of(MonitorReport, one) for one in reports]

    def run_registered(
        self,
        scorers: Iterable[Scorer | str | Callable[..., Any]] = (),
        *,
        concurrency: int | None = None,
        progress: Progress | bool | None = None,
    ) -> list[MonitorReport]:
        """Lets each active registered scorer judge the traces that wait for it, those of the past included.

        Args:
            scorers: those that are functions; built-in ones and judges are made of their definitions, unless given.
            concurrency: traces judged at the same time.
            progress: as in `evaluate`, for each scorer.

        Returns:
            What each of them has done.

        Raises:
            InvalidInputError: a function that is registered and not given.
        """
        from tracehouse._given import record_of, refused
        from tracehouse._running import again, concurrency_of, scorers_of, shown
        from tracehouse.monitoring import MonitorReport

        given = {one.name: one for one in scorers_of(scorers)}
        active = [one for one in self.registered_scorers() if one.active]
        made = [given.get(one.name) or again(one.definition) for one in active]
        natives = [one.native(self._native) for one in made]
        concurrency = concurrency_of(made, concurrency)
        with shown(progress, "registered scorers") as report, refused():
            reports = _native.run_registered(self._native, natives, concurrency, report)
        return [record_of(MonitorReport, one) for one in reports]

    def set_scorer_active(self, name: str, active: bool) -> None:
        """Starts or stops a registered scorer.

        Raises:
            NotFoundError: there is none of this name.
        """
        _native.set_scorer_active(self._native, name, active)

    def delete_registered_scorer(self, name: str) -> None:
        """Forgets a registered scorer; its scores stay.

        Raises:
            NotFoundError: there is none of this name.
        """
        _native.delete_registered_scorer(self._native, name)
