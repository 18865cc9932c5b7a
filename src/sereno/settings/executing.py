"""Settings of work that is done block by block, here or on a cluster engine."""

from typing import Literal, Self

from pydantic import Field, model_validator

from sereno.settings.branch import Branch

__all__ = ["ExecutorSettings"]


class ExecutorSettings(Branch):
    """Where the blocks of a lake are worked on; a bare name stands for its kind."""

    kind: Literal["local", "dask"] = Field(
        default="local", description="Processes of this machine (local), or with the extra dask a cluster."
    )
    workers: int | None = Field(
        default=None,
        ge=0,
        le=1024,
        description="Processes, also of a Dask cluster without address; one for each core without it, 0 "
        "works in the process of the command itself.",
    )
    address: str | None = Field(
        default=None, description="Scheduler of a Dask cluster, as tcp://10.0.0.1:8786; here without one."
    )
    block_assets: int = Field(
        default=250,
        ge=1,
        le=10_000,
        description="Assets that a worker holds at a time, and that are calibrated together; memory follows.",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, said: object) -> object:
        return {"kind": said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _suited(self) -> Self:
        if self.address is not None and self.kind != "dask":
            raise ValueError("an address is of kind dask")
        return self
