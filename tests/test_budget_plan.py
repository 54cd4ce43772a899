"""A budget of seconds is foreseen in steps: the rate has fallen when it is spent, and the training can be repeated."""

from __future__ import annotations

from erya import artefact, catalog, runs
from erya.budget_plan import Foreseen, Plan
from erya.run_report import RunReport


def test_the_steps_that_fit_are_foreseen_once():
    foreseen = Foreseen(100.0)
    spent = [20 + 0.5 * step for step in range(1, 60)]  # 20 seconds for the text, then 2 steps a second
    plans = [plan for step, seconds in enumerate(spent, 1) if (plan := foreseen.count(step, seconds)) is not None]
    assert plans == [Plan(11, 11 + int(0.95 * (100 - 25.5) * 2))]  # ten steps take longer than 5 % of the time
    assert foreseen.steps(10) is None
    assert not foreseen.over(10**6)  # nobody went by it
    assert foreseen.steps(11) == plans[0].steps
    assert foreseen.over(plans[0].steps)
    assert not foreseen.over(plans[0].steps - 1)


def test_what_was_foreseen_before_stays():
    foreseen = Foreseen(100.0, Plan(30, 200))
    assert foreseen.count(1, 99.0) is None
    assert (foreseen.steps(29), foreseen.followed, foreseen.steps(30)) == (None, None, 200)
    assert foreseen.followed == Plan(30, 200)


def test_without_a_budget_nothing_is_foreseen():
    foreseen = Foreseen(None)
    assert foreseen.count(1000, 1000.0) is None
    assert (foreseen.steps(1000), foreseen.over(1000)) == (None, False)


def test_a_language_model_is_done_learning_when_its_seconds_are_over(tmp_path, monkeypatch):
    """The rate has fallen by then, and the same file comes of the same steps without a clock."""
    monkeypatch.setattr(RunReport, "seconds", lambda self: 0.01 * self.steps)
    source = tmp_path / "text.txt"
    source.write_text("\n".join(f"the cat sat on mat {number % 7}" for number in range(300)) + "\n", encoding="utf-8")
    how = {
        "source": str(source),
        "read": {"task": "generate"},
        "split": {"train": 0.8, "dev": 0.1, "test": 0.1, "seed": 0},
    }

    def train(name, **budget):
        model = catalog.model("generate/gru", "tiny", {"epochs": 1000, "schedule": "linear", "patience": None})
        return runs.train(model, runs.read_data(how), tmp_path / name, how=how, quiet=True, **budget)

    trained = train("m.erya", budget_seconds=2.0)
    training = artefact.load(trained.path).training
    rates = [row["learning_rate"] for row in training["curve"]]
    assert rates[-1] < 0.05 * max(rates)
    plan = Plan(*training["budget_plan"])
    assert plan == (11, 11 + int(0.95 * 189))
    assert trained.stopped_at_step == plan.steps
    again = train("again.erya", budget_steps=trained.stopped_at_step, budget_plan=plan)
    assert again.path.read_bytes() == trained.path.read_bytes()
