"""``tune``: search, train the best once more, judge it once, and keep all of it in a folder.

journal.jsonl  a line a training, from which a search that was broken off goes on (parts/journal.py)
model.erya     the best settings, trained on training and validation rows
report.html    what was tried, what mattered, how good it is; and tune.json, the same as a document

Choosing the best of many by their validation scores makes the winner's score look better than it is (Cawley and Talbot 2010,
"On Over-fitting in Model Selection"). The test rows are therefore asked once, at the end, and only the winner and the default
settings of its model answer them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from erya import artefact, catalog, leaderboard
from erya.contestants import Watch, unwatched
from erya.contract import Model
from erya.errors import DataError, EryaError, Interrupted, ResourceError, quoted, typed
from erya.language import say
from erya.parts import journal as journals
from erya.run_folder import RunFolder
from erya.text.dataset import Dataset
from erya.tuning import judging, outcome, request, schedule, tpe
from erya.tuning.clock import CAUTION, CLOSING, Clock
from erya.tuning.entrants import Entrant, described, entrants
from erya.tuning.schedule import Attempt, Schedule
from erya.tuning.trainings import Judged, Trainings, joined, metric_of

BUDGET = 300.0  # seconds, where neither a budget nor a number of trials is given
JOURNAL, MODEL, REPORT, DOCUMENT = "journal.jsonl", "model.erya", "report.html", "tune.json"


@dataclass(slots=True)
class Tuned:
    """What a search found. ``document`` is the ``erya.tune/1`` document that everything else is drawn from.

    Attributes:
        model: the best settings, trained on training and validation rows.
        path: its file; None where no folder was given.
    """

    document: dict[str, Any]
    model: Model
    path: Path | None

    @property
    def settings(self) -> dict[str, Any]:
        """The searched settings of the winner."""
        found: dict[str, Any] = self.document["winner"]["settings"]
        return found

    def table(self, width: int | None = None) -> str:
        """What was found as plain text."""
        from erya.tuning.table import plain_table

        return plain_table(self.document, width)

    def html(self) -> str:
        """The self-contained report."""
        from erya.tuning.report import render

        return render(self.document)

    def _repr_html_(self) -> str:
        import html

        return f'<iframe srcdoc="{html.escape(self.html(), quote=True)}" width="100%" height="900"></iframe>'


def tune(
    models: Sequence[str] | str | None = None,
    data: Dataset | str | Path | None = None,
    *,
    budget: float | None = None,
    trials: int | None = None,
    settings: dict[str, Any] | None = None,
    score: str | None = None,
    seed: int = 0,
    refit: str = "train+dev",
    folder: str | Path | None = None,
    restart: bool = False,
    method: str = "random",
    watch: Watch = unwatched,
) -> Tuned:
    """Search for good settings of one or several models.

    Args:
        models: ids, or one; None: all models of the task that are installed, declare a space and take such rows.
        data: a Dataset, or whatever ``erya.read`` takes. What it lacks of train, dev and test is split off.
        budget: seconds for everything. Default: 300, unless ``trials`` is given.
        trials: settings that are tried at most, the defaults among them.
        settings: by hand, for every model that has one of that name; they are not searched.
        score: what trials are ranked by; None: accuracy, of several labels a row micro_f1, of tags that tell spans f1.
        seed: of split, draws, shares of the rows and models: the same seed and number of trials, the same result.
        refit: ``"train+dev"`` or ``"train"``: the rows of the last training.
        folder: where journal, model and report are kept; called again with it, a search that was broken off goes on, one that
            ended goes on where the budget is larger now. None: nothing is kept.
        restart: throw away what ``folder`` holds of an earlier search.
        method: ``"random"``, or ``"optuna"``: where new trials lie is drawn by its tree-structured Parzen estimator; needs the extra
            ``erya[optuna]``.
        watch: called with each event: begin, start, progress, done, end, refit.

    Raises:
        UsageError: unknown models, settings or score; too few trials; nothing to search; a budget too short for one trial.
        DataError: no data, no validation or test rows; the journal is of another search.
        ResourceError: no trial gave a model; Optuna is asked for and not installed; another process works in the folder; the disk is full.
        Interrupted: Ctrl-C; called again with its folder the search goes on.
    """
    request.check(data, budget, trials, refit, method)
    sampled_by = None if method == "random" else tpe.version()
    models = [models] if isinstance(models, str) else models
    dataset = request.dataset(data, seed, leaderboard.task_of(models or []))
    frozen = request.frozen(settings, dataset)
    found, left_out = entrants(models, dataset.kind, frozen, dataset.task)
    if trials is not None and trials <= len(found):
        raise request.too_few(trials, len(found))
    budget = BUDGET if budget is None and trials is None else budget
    with tempfile.TemporaryDirectory(prefix="erya-tune-", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary if folder is None else folder)
        lock = _owned(place)
        try:
            metric = metric_of(score, dataset)
            search = _Search(place, lock, dataset, found, metric, seed, refit, restart, sampled_by)
            search.budget, search.trials, search.left_out, search.watch = budget, trials, left_out, watch
            document = search.run()
            model = catalog.load(place / MODEL)
        finally:
            shutil.rmtree(lock.path / "work", ignore_errors=True)
            lock.remove()
        return Tuned(document, model, None if folder is None else place / MODEL)


class _Search:
    """One search in its folder."""

    budget: float | None
    trials: int | None
    left_out: list[dict[str, str]]
    watch: Watch

    def __init__(
        self,
        folder: Path,
        lock: RunFolder,
        dataset: Dataset,
        found: list[Entrant],
        metric: str,
        seed: int,
        refit: str,
        restart: bool,
        optuna: str | None,
    ) -> None:
        self.folder, self.dataset, self.entrants, self.metric, self.seed = folder, dataset, found, metric, seed
        self.journal, self.optuna = folder / JOURNAL, optuna
        self.last = dataset
        if refit == "train+dev" and dataset.dev is not None:
            self.last = replace(dataset, train=joined(dataset.train, dataset.dev), dev=None)
        else:
            self.last = replace(dataset, dev=None)
        self.refit = refit
        shares = schedule.shares(len(dataset.train))
        work = lock.path / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        self.trainings = Trainings(dataset, work, shares, found, metric, seed)
        if restart:
            self.journal.unlink(missing_ok=True)
        self.rows = self._open_journal()

    def _open_journal(self) -> list[dict[str, Any]]:
        heading: dict[str, Any] = {
            "schema": "erya.tune-journal/1",
            "erya": artefact.erya_version(),
            "digest": self.trainings.digest,
            "score": self.metric,
            "seed": self.seed,
            "shares": self.trainings.shares,
            "models": {
                one.model: {"space": described(one.space), "default": one.default, "frozen": one.frozen}
                for one in self.entrants
            },
        }
        if self.optuna is not None:  # another version of it draws otherwise
            heading["optuna"] = self.optuna
        try:
            return journals.opened(self.journal, heading)
        except DataError as problem:
            problem.help = say(
                "another folder: -o, or throw the old search away: --restart",
                "用 -o 换一个文件夹，或用 --restart 放弃旧的搜索",
            )
            raise

    def run(self) -> dict[str, Any]:
        """Search, train the best, judge it, write everything; the document."""
        done = [Attempt(**row) for row in self.rows if "trial" in row]
        plan = Schedule(
            self.entrants,
            len(self.trainings.shares),
            self.seed,
            self.trials,
            -1 if self.metric in judging.task_of(self.dataset).LOWER_IS_BETTER else 1,
            done,
            schedule.at_random if self.optuna is None else tpe.draw,
        )
        growth = len(self.last.train) / max(1, len(self.dataset.train))
        clock = Clock(self.budget, sum(one.seconds for one in done), growth, self.trainings.shares)
        try:
            self._begin(plan)
            if not self._ended():
                self._search(plan, clock)
            best = plan.best()
            if best is None:
                raise self._nothing(plan, clock)
            searched = clock.passed()
            winner, default, why_not = self._last_round(plan, clock, best)
        except KeyboardInterrupt:
            raise self._interrupted(plan) from None
        document = outcome.document(self, plan, best, winner, default, why_not)
        document |= {"folder": str(self.folder), "seconds": clock.passed(), "search_seconds": searched}
        self._keep(document, winner)
        return document

    # ---- searching --------------------------------------------------------------------------------------------

    def _begin(self, plan: Schedule) -> None:
        self.watch(
            {
                "event": "begin",
                "models": [one.model for one in self.entrants],
                "left_out": self.left_out,
                "rows": self.trainings.rows(),
                "score": self.metric,
                "sign": plan.sign,
                "budget": self.budget,
                "trials": self.trials,
                "before": [asdict(one) for one in plan.attempts],
            }
        )

    def _ended(self) -> bool:
        """Whether the search came to its end before, and no more was granted since."""
        last = self.rows[-1] if self.rows else {}
        if "ended" not in last:
            return False
        granted = [(self.budget, last["budget"]), (self.trials, last["trials"])]
        return all(now == then or (now is not None and then is not None and now < then) for now, then in granted)

    def _search(self, plan: Schedule, clock: Clock) -> None:
        while True:
            step = plan.next(lambda steps: clock.enough(plan, steps))
            if step is None or clock.left() <= CLOSING:
                break
            allowance = clock.allowance(plan, step)
            self.watch(
                {
                    "event": "start",
                    "trial": step.trial,
                    "rung": step.rung,
                    "model": step.model,
                    "settings": step.settings,
                    "left": clock.left(),
                }
            )
            overhead = clock.overhead(plan.attempts, step.model)
            # before anything has a score, a model that starts slowly is better waited for than lost
            patience = 0.0 if any(one.score is not None for one in plan.attempts) else clock.left() / 2
            attempt = self.trainings.attempt(step, allowance, overhead, self.watch, patience=patience)
            journals.append(self.journal, asdict(attempt))
            plan.attempts.append(attempt)
            self.watch({"event": "done", "left": clock.left(), **asdict(attempt)})
        ended = "budget" if step is not None or plan.next() is not None else "trials"
        if ended == "trials" and (self.trials is None or plan.drawn() < self.trials):
            ended = "perfect" if plan.is_perfect() else "tried out"
        row = {"ended": ended, "budget": self.budget, "trials": self.trials}
        journals.append(self.journal, row)
        self.rows.append(row)

    # ---- the end ----------------------------------------------------------------------------------------------

    def _last_round(self, plan: Schedule, clock: Clock, best: Attempt) -> tuple[Judged, Judged | None, str | None]:
        """The winner and its model's defaults, trained on all rows; None for the defaults where they won, or why they lack."""
        place = next(place for place, one in enumerate(self.entrants) if one.model == best.model)
        default = plan.at(place, plan.top)
        other = default.seconds * clock.growth * CAUTION if default and best.trial != place else 0.0
        overhead = clock.overhead(plan.attempts, best.model)
        self.watch({"event": "refit", "model": best.model, "which": "winner"})
        soft = None if self.budget is None else max(1.0, clock.left() - CLOSING - other - overhead)
        try:
            winner = self.trainings.refit(best.model, best.settings, self.last, soft, self.watch)
        except RuntimeError as problem:
            raise ResourceError(
                "refit-failed",
                say(
                    f"the last training of {best.model} failed: {problem}",
                    f"{best.model} 的最终训练失败：{problem}",
                ),
                help=say("the trials are kept: run it again", "各次试验已保存：再运行一次"),
            ) from None
        if best.trial == place:
            return winner, None, None
        if self.budget is not None and clock.left() < CLOSING / 2 + overhead:
            return winner, None, say("the budget left no time for the defaults", "预算已不够再训练默认设置")
        self.watch({"event": "refit", "model": best.model, "which": "default"})
        soft = None if self.budget is None else max(0.5, clock.left() - CLOSING / 2 - overhead)
        settings = dict(self.entrants[place].default)
        try:
            return winner, self.trainings.refit(best.model, settings, self.last, soft, self.watch), None
        except RuntimeError as problem:
            return winner, None, say(f"the default settings failed: {problem}", f"默认设置训练失败：{problem}")

    def _keep(self, document: dict[str, Any], winner: Judged) -> None:
        """Write the model with what it was found by, the document and the report."""
        content = artefact.load(winner.path)
        training = outcome.training(document, content.training)
        artefact.save(self.folder / MODEL, replace(content, training=training, card=outcome.card(document)))
        text = json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
        artefact.atomic_write(self.folder / DOCUMENT, lambda file: file.write(text))
        from erya.tuning.report import render

        page = render(document).encode("utf-8")
        artefact.atomic_write(self.folder / REPORT, lambda file: file.write(page))

    # ---- how it may end otherwise -----------------------------------------------------------------------------

    def _nothing(self, plan: Schedule, clock: Clock) -> EryaError:
        """No trial has a score: the budget was too short, or everything failed."""
        cut = [one for one in plan.attempts if one.status != "failed"]
        if self.budget is not None and (cut or not plan.attempts):
            return request.too_short(self.budget, self._needed(plan, clock), len(self.entrants))
        failed = next((one for one in plan.attempts if one.error), None)
        told = quoted(failed.error, 300) if failed else "–"
        return ResourceError(
            "all-trials-failed",
            say(
                f"not one of {plan.drawn()} trials gave a model; the first said: {told}",
                f"{plan.drawn()} 次试验没有一次得到模型；第一次的错误：{told}",
            ),
            where=failed.model if failed else None,
            help=f"erya train {self.entrants[0].model} {typed(self.dataset.source or 'DATA')} -o m.erya",
        )

    def _needed(self, plan: Schedule, clock: Clock) -> float:
        """Seconds for one trial on all rows and the end after it, of the fastest model, as far as it is known."""
        known = [clock.estimate(plan.attempts, one.model, plan.top) for one in self.entrants]
        whole = [seconds for seconds in known if seconds is not None]
        one = min(whole) if whole else self.trainings.needed() or (self.budget or 0.0)
        return CLOSING + max(3.0, CAUTION * one * (2 + clock.growth) * max(1, len(self.entrants)))

    def _interrupted(self, plan: Schedule) -> Interrupted:
        count = len({one.trial for one in plan.attempts})
        return Interrupted(
            "interrupted",
            say(f"stopped; {count} trials are kept", f"已停止；已保存 {count} 次试验"),
            where=str(self.journal),
            help=say("the same command again goes on from here", "再次运行同一命令即可接着搜索"),
        )


def _owned(folder: Path) -> RunFolder:
    """The folder, made where it is missing, and its lock taken."""
    from erya.atomic import write_error

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    lock = RunFolder(folder / MODEL)
    lock.acquire(create=True)
    return lock
