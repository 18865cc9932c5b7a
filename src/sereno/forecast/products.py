"""Products of many small matrices, summed over days."""

import numpy as np

from sereno.forecast.features import Single

__all__ = ["products_over_days", "squares_over_days"]


def products_over_days(one: Single, other: Single, *, out: Single | None = None) -> Single:
    """Matrix products over the last axis of both, the days, shape (..., rows of one, rows of other).

    Of a single day, which a refit learns, they are outer products, and calling BLAS costs more than they do.
    """
    if one.shape[-1] == 1:
        left, right = (np.ascontiguousarray(some[..., 0]) for some in (one, other))
        outer: Single = np.einsum("...i,...j->...ij", left, right, out=out)
        return outer
    products: Single = np.matmul(one, other.swapaxes(-1, -2), out=out)
    return products


def squares_over_days(one: Single, *, out: Single) -> Single:
    """Matrix products of rows with themselves over the last axis, the days, shape (..., rows, rows).

    All rows by all but the last, and what is missing by symmetry: what is the product of a matrix and its own
    transpose NumPy gives to BLAS's syrk, which takes twice the time of gemm where matrices are small.
    """
    if one.shape[-1] == 1:
        return products_over_days(one, one, out=out)
    products_over_days(one, one[..., :-1, :], out=out[..., :-1])
    out[..., :-1, -1] = out[..., -1, :-1]
    np.einsum("...i,...i->...", one[..., -1, :], one[..., -1, :], out=out[..., -1, -1])
    return out
