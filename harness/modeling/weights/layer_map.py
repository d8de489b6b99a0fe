"""Which layers of a student go with which of its teacher's, as an option: `0:0,1:3`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _layer_map(value: Any) -> Any:
    """`0:0,1:3` as pairs."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().split(":") for part in value.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"'{value}' is not STUDENT:TEACHER,…, such as 0:0,1:3")
    return pairs


Layer = Annotated[int, Field(ge=0)]
LayerMap = Annotated[tuple[tuple[Layer, Layer], ...], BeforeValidator(_layer_map)]
"""Pairs of a student's layer and a teacher's, counted from 0."""


def refuse_twice(pairs: LayerMap) -> None:
    """Raises ValueError where a layer of the student is given twice."""
    students = [student for student, _ in pairs]
    if len(set(students)) < len(students):
        raise ValueError("map: a layer of the student is given twice")
