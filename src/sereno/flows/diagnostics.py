"""Pictures of a segmentation: how the number of segments was chosen, and who lies where."""

from pathlib import Path

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.flows.segments import SegmentReport
from sereno.i18n.catalogue import sentence
from sereno.report.figures import Points, line_figure, point_figure, point_grid, write_figure

__all__ = ["draw_diagnostics", "principal_plane"]


def draw_diagnostics(report: SegmentReport, folder: Path, language: str) -> list[Path]:
    """Elbow, silhouette, principal plane and pairs of features as SVG, those that have something to show.

    Files are named after the profile: `gas_elbow.svg`, `gas_silhouette.svg`, `gas_pca.svg`, `gas_pairs.svg`.
    """
    found = report.segmentation
    figures: dict[str, str] = {}
    curve = found.curve
    axis = sentence("figure_axis.segments", language)
    if curve.ks:
        chosen = float(found.n_segments)
        for name, values in (("elbow", curve.inertia), ("silhouette", curve.silhouette)):
            title = sentence(f"figure_title.{name}", language, profile=found.profile)
            axes = (axis, sentence(f"figure_axis.{name}", language))
            xs = [float(k) for k in curve.ks]
            figures[name] = line_figure(title, axes, xs, {name: values}, marked=chosen)
    members = found.members()
    assets = [asset for asset in members if asset in report.profiles]
    if assets:
        scaled = found.scaled(np.array([report.profiles[asset] for asset in assets]))
        plane, shares = principal_plane(scaled)
        groups, names = [members[asset] for asset in assets], [str(asset) for asset in assets]
        points = Points(plane[:, 0].tolist(), plane[:, 1].tolist(), groups, names)
        title = sentence("figure_title.pca", language, profile=found.profile)
        axes = (f"PC1 ({shares[0]:.0%})", f"PC2 ({shares[1]:.0%})")
        figures["pca"] = point_figure(title, axes, points)
        columns = {name: scaled[:, i].tolist() for i, name in enumerate(found.features)}
        title = sentence("figure_title.pairs", language, profile=found.profile)
        figures["pairs"] = point_grid(title, columns, points)
    return [write_figure(folder / f"{found.profile}_{name}.svg", figure) for name, figure in figures.items()]


def principal_plane(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows on their first two principal components, shape (rows, 2), and the variance shares of both.

    The sign of a component is that of its largest loading; a component that does not exist is 0.
    """
    centred = rows - rows.mean(axis=0)
    _, sizes, loadings = np.linalg.svd(centred, full_matrices=False)
    plane, shares = np.zeros((len(rows), 2)), np.zeros(2)
    total = float((sizes**2).sum())
    for place in range(min(2, len(loadings))):
        loading = loadings[place]
        plane[:, place] = centred @ (loading * np.sign(loading[np.argmax(np.abs(loading))]))
        shares[place] = sizes[place] ** 2 / total if total > 0 else 0.0
    return plane, shares
