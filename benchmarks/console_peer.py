"""The usual way, as a peer: a plain Dash page with the series of one site, every value of them.

No login, no incidents, no bands, no other screens: five lines over time.
"""

import sys

import numpy as np

__all__ = ["DRAWN", "main"]

DRAWN = ".js-plotly-plot .main-svg .scatterlayer"
"""What is in the page once the lines are."""


def main(series_file: str, port: int) -> None:
    """Serve the arrays `time` and `values` until killed.

    Args:
        series_file: NPZ with `time`, shape (n,), `values`, shape (n, k), and `signals`, shape (k,).
    """
    from dash import Dash, dcc, html

    kept = np.load(series_file)
    lines = [
        {"x": kept["time"].astype(str).tolist(), "y": column.tolist(), "name": str(name), "type": "scatter"}
        for name, column in zip(kept["signals"], kept["values"].T, strict=True)
    ]
    app = Dash("peer")
    app.layout = html.Div([html.H1("Gran planta"), dcc.Graph(figure={"data": lines})])
    app.run(host="127.0.0.1", port=port, debug=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
