"""The first system's way, as a peer: Flask, and scikit-learn's isolation forest for each request.

Nothing is stored, nothing is checked, nothing is explained: a value is scaled and scored.
"""

import socket
import sys

import numpy as np

__all__ = ["main"]

FIELDS = (
    "Generación total",
    "Consumo total",
    "Autoconsumo",
    "Energía suministrada a la red",
    "Energía obtenida de la red",
)
N_TREES = 100


def main(rows_file: str) -> None:
    """Learn from an array of rows and serve until killed; the port is the first line of stdout."""
    from flask import Flask, jsonify, request
    from sklearn.ensemble import IsolationForest
    from sklearn.preprocessing import StandardScaler
    from werkzeug.serving import make_server

    rows = np.load(rows_file)
    scaler = StandardScaler().fit(rows)
    forest = IsolationForest(n_estimators=N_TREES, contamination=0.1, random_state=42)
    forest.fit(scaler.transform(rows))
    app = Flask("peer")

    @app.post("/procesar")
    def procesar() -> object:
        record = request.get_json()
        values = np.array([[float(record[name]) for name in FIELDS]])
        scaled = scaler.transform(values)
        is_anomaly = bool(forest.predict(scaled)[0] == -1)
        score = float(forest.score_samples(scaled)[0])
        return jsonify(es_anomalia=is_anomaly, score=score, alerta_generada=is_anomaly)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server("127.0.0.1", port, app, threaded=True)
    print(port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
