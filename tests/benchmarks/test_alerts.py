import json

import pytest

from benchmarks.alerts import main


def test_every_alert_arrives_once(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--json", "--alerts", "200"])

    found = json.loads(capsys.readouterr().out)
    assert (found["alerts"], found["lost"], found["repeats"]) == (200, 0, 0)
    assert found["stored_to_attempt_s"]["p95"] is not None
    assert found["alerts_per_s"] > 0
