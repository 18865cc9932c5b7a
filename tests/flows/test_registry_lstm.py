"""The registry with autoencoders: versions, cards, comparison, promotion, rollback and learning again."""

from collections.abc import Iterator

import numpy as np
import pytest

from sereno.domain.archive import digest_of
from sereno.domain.errors import PromotionRefused, PromotionTooEarly
from sereno.flows.reproducing import Verdict
from sereno.flows.workspace import Workspace
from tests.flows.test_promotion import lines
from tests.support.builders import a_workspace, readings_of

pytest.importorskip("jax", reason="the extra 'deep' is not installed")
pytest.importorskip("optax", reason="the extra 'deep' is not installed")

OPTIONS = "{encoding_dim: 4, epochs: 3, sequence: 12, seed: 3}"
SETTINGS = f"detector: {{kind: lstm, options: {OPTIONS}}}\n"
FIRST, SECOND, ALL = 30, 36, 50
"""Days that the champion, the candidate and neither have seen the end of."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A champion, a candidate that has seen six days more, and two weeks that neither has seen."""
    windows = lines(n_days=ALL, n_assets=2)
    with a_workspace(tmp_path_factory.mktemp("lstm") / "w", settings=SETTINGS) as made:
        made.add(readings_of(*(one.rows(0, 24 * FIRST) for one in windows)), zone="UTC")
        made.train()
        made.add(readings_of(*(one.rows(24 * FIRST, 24 * SECOND) for one in windows)), zone="UTC")
        made.train(is_candidate=True)
        made.add(readings_of(*(one.rows(24 * SECOND, 24 * ALL) for one in windows)), zone="UTC")
        yield made


def versions(workspace: Workspace) -> dict[str, str]:
    """Id by state."""
    return {str(one["state"]): str(one["id"]) for one in workspace.versions()}


def judged(workspace: Workspace) -> bytes:
    """What the judging model says of days that it has not seen, bit for bit."""
    detector = workspace.model("process").detector
    scores = [detector.score(one)[0].values for one in lines(n_days=ALL, n_assets=2)]
    return np.concatenate(scores).tobytes()


def test_versions_have_cards_with_all_that_learning_hung_on(workspace: Workspace) -> None:
    found = versions(workspace)
    champion = workspace.model_card(found["champion"])
    sheet = workspace.model_sheet(found["candidate"])

    assert set(found) == {"champion", "candidate"}
    assert (champion.detector, len(champion.assets)) == ("lstm", 2)
    said = {name: champion.settings[name] for name in ("encoding_dim", "epochs", "sequence", "seed")}
    assert said == {"encoding_dim": 4, "epochs": 3, "sequence": 12, "seed": 3}
    assert sheet["lineage"]["seed"] == 3  # type: ignore[index]
    assert champion.fingerprint != sheet["lineage"]["fingerprint"]  # type: ignore[index]


def test_artefacts_are_what_their_cards_say(workspace: Workspace) -> None:
    for version in versions(workspace).values():
        sheet = workspace.model_sheet(version)
        data = (workspace.folder / str(sheet["lineage"]["path"])).read_bytes()  # type: ignore[index]

        assert digest_of(data) == sheet["lineage"]["digest"]  # type: ignore[index]


def test_candidate_is_compared_promoted_and_taken_back_bit_for_bit(workspace: Workspace) -> None:
    before, found = judged(workspace), versions(workspace)
    comparison = workspace.registrar.compare(found["candidate"])
    if comparison.opinion.value != "better":
        with pytest.raises((PromotionRefused, PromotionTooEarly)):
            workspace.promote_model(found["candidate"], actor="ana")
    workspace.promote_model(found["candidate"], actor="ana", reason="trial", is_forced=True)
    during = judged(workspace)
    back = workspace.roll_back_model(None, actor="ana", reason="no better")

    assert (comparison.n_days, comparison.n_assets, comparison.measure) == (14, 2, "faults")
    assert during != before
    assert (back.id, judged(workspace)) == (found["champion"], before)
    assert workspace.active_models() == {"process": found["champion"]}


def test_both_are_learnt_again_bit_for_bit(workspace: Workspace) -> None:
    (again,) = workspace.reproduce()

    assert (again.verdict, again.seed) == (Verdict.REPRODUCIBLE, 3), again.to_json()
    assert {run["model"] for run in again.runs} == {again.stored_digest}
    assert len({run["predictions"] for run in again.runs}) == 1
