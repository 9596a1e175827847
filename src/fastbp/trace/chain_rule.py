"""`Factors`: the gradient of one parameter as a product, and where its factors come from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import counted
from .layers import LayerTrace
from .to_json import jsonable

MAX_TERMS = 4  # of a sum, and units of a layer, that are written out


@dataclasses.dataclass(frozen=True)
class Factors:
    """The gradient of one parameter as a product, and where its first factor comes from.

    Attributes
    ----------
    layer, i, j : int
        Layer (1 is the first), input and unit; i is None for a bias.
    dE_da, da_dz : float or None
        None in a softmax layer, whose units depend on each other: there is only ``dE_dz``.
    dE_dz : float
        delta[j].
    dz_dw : float
        What the parameter is multiplied with: ``x[i]``, or 1 for a bias.
    weight : float
        Factor of the row.
    product : float
        ``weight * dE_dz * dz_dw``, in float64.
    gradient : float
        The same as the kernels have it, in the network's dtype.
    before, after : float
        The parameter.
    layers : tuple of LayerTrace
        From this layer to the last: what ``dE_da`` comes from.
    """

    layer: int
    i: int | None
    j: int
    dE_da: float | None
    da_dz: float | None
    dE_dz: float
    dz_dw: float
    weight: float
    product: float
    gradient: float
    before: float
    after: float
    layers: tuple[LayerTrace, ...]

    @property
    def name(self) -> str:
        """What the parameter is called: ``W[1][0, 2]`` or ``b[1][2]``."""
        if self.i is None:
            return f"b[{self.layer}][{self.j}]"
        return f"W[{self.layer}][{self.i}, {self.j}]"

    def terms(self) -> NDArray[np.float64]:
        """Return the terms of which ``dE_da`` is the sum, one for each unit of the layer above.

        Returns
        -------
        ndarray of shape (n_units_above,)
            ``delta[k] * W[j, k]`` of the layer above; empty in the last layer.
        """
        if len(self.layers) == 1:
            return np.empty(0)
        above = self.layers[1]
        return _products(above.delta.astype(np.float64), above.W[self.j])

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of this product, and its ``name`` and ``terms``."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del values["layers"]
        result: dict[str, Any] = jsonable({"name": self.name, **values, "terms": self.terms()})
        return result

    def __str__(self) -> str:
        return "\n".join([*self._product(), *self._local(), *self._back()])

    def _product(self) -> list[str]:
        a, z = f"a[{self.layer}][{self.j}]", f"z[{self.layer}][{self.j}]"
        if self.dE_da is None or self.da_dz is None:
            factors = {f"dE/d{z}": self.dE_dz}
        else:
            factors = {f"dE/d{a}": self.dE_da, f"d{a}/d{z}": self.da_dz}
        factors[f"d{z}/d{self.name}"] = self.dz_dw
        if self.weight != 1:
            factors = {"weight": self.weight, **factors}
        left = f"dE/d{self.name}"
        return [
            f"{left} = {' x '.join(factors)}",
            f"{'':{len(left)}} = {' x '.join(number(value) for value in factors.values())}",
            f"{'':{len(left)}} = {number(self.gradient)}",
        ]

    def _local(self) -> list[str]:
        at, below = self.layers[0], self.layer - 1
        if self.i is None:
            source = ""
        else:
            source = f"x[{self.i}] = " if below == 0 else f"a[{below}][{self.i}] = "
        lines = [f"  dz[{self.layer}][{self.j}]/d{self.name} = {source}{number(self.dz_dw)}"]
        if self.da_dz is not None:
            lines.append(f"  {_slope(at, self.j)}")
        return lines

    def _back(self) -> list[str]:
        """From dE/da of this unit up to the loss, a layer after the other."""
        wanted, n_more, lines = [self.j], 0, []
        for at, above in zip(self.layers, [*self.layers[1:], None], strict=True):
            lines += [
                line for unit in wanted for line in _origin(at, above, unit, at is self.layers[0])
            ]
            if n_more:
                lines.append(f"  ... and {counted(n_more, 'more unit')} of layer {at.layer}")
            if above is not None:
                terms = np.abs(_products(above.W[wanted], above.delta)).max(axis=0)
                wanted, n_more = strongest(terms, MAX_TERMS)
        return lines


def chain_rule(
    layers: tuple[LayerTrace, ...], layer: int, i: int | None, j: int, weight: float
) -> Factors:
    """Return the factors of one parameter of a layer (1 is the first)."""
    at = layers[layer - 1]
    in_pieces = at.derivative.ndim == 1 and bool(np.isfinite(at.dE_da[j]))
    index, arrays = (j, "b") if i is None else ((i, j), "W")
    dz_dw = 1.0 if i is None else float(at.x[i])
    dE_dz = float(at.delta[j])
    return Factors(
        layer=layer,
        i=i,
        j=j,
        dE_da=float(at.dE_da[j]) if in_pieces else None,
        da_dz=float(at.derivative[j]) if in_pieces else None,
        dE_dz=dE_dz,
        dz_dw=dz_dw,
        weight=weight,
        product=weight * dE_dz * dz_dw,
        gradient=float(getattr(at, f"grad_{arrays}")[index]),
        before=float(getattr(at, arrays)[index]),
        after=float(getattr(at, f"new_{arrays}")[index]),
        layers=layers[layer - 1 :],
    )


def _slope(at: LayerTrace, j: int) -> str:
    return (
        f"da[{at.layer}][{j}]/dz[{at.layer}][{j}] = f'(z) = {number(at.derivative[j])}  "
        f"({at.activation}, z = {number(at.z[j])})"
    )


def _origin(at: LayerTrace, above: LayerTrace | None, j: int, first: bool) -> list[str]:
    """Where the derivative with respect to one unit comes from."""
    l = at.layer
    lines = []
    in_pieces = at.derivative.ndim == 1 and np.isfinite(at.dE_da[j])
    if not first and in_pieces:
        lines.append(
            f"  dE/dz[{l}][{j}] = dE/da[{l}][{j}] x f'(z) = {number(at.dE_da[j])} x "
            f"{number(at.derivative[j])} = {number(at.delta[j])}"
        )
    if above is None:
        if in_pieces:
            return [*lines, f"  dE/da[{l}][{j}] = {number(at.dE_da[j])}  (derivative of the loss)"]
        return [
            *lines,
            f"  dE/dz[{l}][{j}] = {number(at.delta[j])}  (a - y: loss and {at.activation})",
        ]
    m, terms = above.layer, _products(above.W[j], above.delta)
    shown, n_more = strongest(np.abs(terms), MAX_TERMS)
    products = " + ".join(f"({number(above.delta[k])} x {number(above.W[j, k])})" for k in shown)
    if n_more:
        rest = float(terms.sum() - terms[shown].sum())
        products += f" + {n_more} more: {number(rest)}"
    return [
        *lines,
        f"  dE/da[{l}][{j}] = sum over k of dE/dz[{m}][k] x W[{m}][{j}, k]",
        f"  {'':{len(f'dE/da[{l}][{j}]')}} = {products} = {number(at.dE_da[j])}",
    ]


def _products(weights: NDArray[Any], deltas: NDArray[Any]) -> NDArray[Any]:
    """Return ``weights * deltas``, which may overflow where training has made weights huge."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(weights * deltas)


def strongest(sizes: NDArray[Any], most: int) -> tuple[list[int], int]:
    """Return where the largest sizes stand, in order, and how many are left out."""
    if len(sizes) <= most:
        return list(range(len(sizes))), 0
    kept = np.sort(np.argsort(-sizes, kind="stable")[:most])
    return kept.tolist(), len(sizes) - most


def number(value: Any) -> str:
    """Return a number in five digits, as it is written in a derivation."""
    return f"{float(value) + 0.0:.5g}"  # no -0
