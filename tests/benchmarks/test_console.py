from tests.benchmarks.test_benchmarks import COMMON, _run

FIGURES = {
    "first_load_kb",
    "first_load_ms",
    "series_ms",
    "fleet_ms",
    "incident_ms",
    "site_ms",
    "sse_cpu_percent",
}


def test_console_says_how_light_and_how_fast_its_pages_are():
    document = _run("console")

    assert set(document) >= COMMON | FIGURES
    assert document["sites"] == 60
    assert document["incidents"] > 0
    assert 0 < document["first_load_kb"] < 150
    assert all(document[name] is None or document[name] >= 0 for name in FIGURES)
