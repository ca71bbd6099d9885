"""Products of matrices through onnxruntime equal numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from rag.models.products import Product, multiply


@pytest.mark.parametrize(("n", "k", "m"), [(1, 3, 5), (7, 200, 130), (64, 33, 1)])
def test_products_equal_those_of_numpy(n: int, k: int, m: int) -> None:
    rng = np.random.default_rng(n)
    rows, matrix = rng.normal(size=(n, k)).astype(np.float32), rng.normal(size=(m, k)).astype(np.float32).T
    product = Product(matrix)
    assert product.shape == (k, m)
    assert np.allclose(product(rows), rows @ matrix, atol=1e-4)
    assert np.array_equal(product(rows), product(rows))
    left, right = np.stack([rows, 2 * rows]), np.stack([matrix, matrix])
    assert np.allclose(multiply(left, right), left @ right, atol=1e-4)
