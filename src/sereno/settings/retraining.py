"""Settings of learning anew, and of the watch for drift that may be a reason to."""

from datetime import timedelta

from pydantic import Field

from sereno.settings.branch import Branch, Duration

__all__ = ["DriftSettings", "MlflowSettings", "RetrainSettings"]


class RetrainSettings(Branch):
    """When models are learnt anew; what is learnt only replaces another one that it is better than."""

    every: Duration | None = Field(
        default=None,
        description="Time between two trainings while an engine works, as 30d; never without one.",
    )
    min_new_days: int = Field(
        default=7, ge=1, le=3660, description="Whole days that the champion has not seen, at least [days]."
    )
    shadow: Duration = Field(
        default=timedelta(days=7),
        description="How long what was learnt judges or forecasts beside the champion before they are "
        "compared, as 7d.",
    )
    max_bad: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Largest share of the new values that may be missing or bad; beyond that, no training.",
    )
    on_drift: bool = Field(
        default=True,
        description="Whether a drift of behaviour or of forecasts, seen by `drift.every`, is a reason to "
        "learn anew before the time.",
    )


class DriftSettings(Branch):
    """When an engine looks for drift by itself."""

    every: Duration | None = Field(
        default=None,
        description="Time between two looks for drift while an engine works, as 7d; never without one.",
    )
    weeks: int = Field(default=4, ge=1, le=52, description="The last whole weeks that are judged [weeks].")


class MlflowSettings(Branch):
    """Where trainings are also told to MLflow."""

    url: str | None = Field(
        default=None,
        description="Tracking address, as http://localhost:5000 or sqlite:///mlflow.db; nothing is told "
        "without one.",
    )
    experiment: str = Field(default="sereno", min_length=1, description="Name of the experiment.")
