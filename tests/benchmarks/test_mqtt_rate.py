import json

import pytest

from benchmarks.mqtt_rate import find_broker, main

pytestmark = pytest.mark.skipif(find_broker() is None, reason="mosquitto is not installed")


def test_every_message_becomes_a_reading(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--rows", "1000"])

    found = json.loads(capsys.readouterr().out)["mqtt"]
    assert (found["messages"], found["lost"], found["repeated"]) == (1_000, 0, 0)
    assert found["judged_per_cpu_s"] > 0
