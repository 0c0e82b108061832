from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from retentiond.document import Document, build, read
from retentiond.errors import ConfigurationError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wheel(Strict):
    spokes: int = Field(gt=0, description="how many it has")
    from_: str = Field(default="", alias="from")


class Cart(Strict):
    name: str
    colour: Colour = Colour.RED
    loaded: bool = False
    weight: float = 1.0
    load: Path | None = None
    wheels: tuple[Wheel, ...] = Field(default=(), min_length=1)
    spare: Annotated[Wheel | None, BeforeValidator(lambda value: None if value == "none" else value)] = Field(
        default=None, description="`none` for none at all"
    )
    by_name: dict[str, Wheel] = {}
    prices: dict[str, int | None] = {}

    @field_validator("name")
    @classmethod
    def _no_password(cls, name: str) -> str:
        if name == "secret":
            raise ValueError("This name is taken")
        return name


def document(tmp_path: Path, text: str) -> Document:
    (tmp_path / "cart.yaml").write_text(text)
    return read(tmp_path / "cart.yaml")


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError, match="nothing was done") as caught:
        build(document(tmp_path, text), Cart)
    return [str(problem).removeprefix(f"{tmp_path}/cart.yaml:") for problem in caught.value.problems]


def test_what_is_written_becomes_a_model(tmp_path: Path) -> None:
    text = "name: x\ncolour: blue\nloaded: true\nweight: 2\nload: /srv\nwheels: [{spokes: 5, from: here}]\nspare: none"
    cart = build(document(tmp_path, text), Cart)
    assert (cart.colour, cart.loaded, cart.weight, cart.load) == (Colour.BLUE, True, 2.0, Path("/srv"))
    assert (cart.wheels[0].from_, cart.spare) == ("here", None)


def test_null_is_a_value_only_where_the_writer_chooses_the_words(tmp_path: Path) -> None:
    assert build(document(tmp_path, "name: x\nprices: {name: null, load: 5}"), Cart).prices == {"name": None, "load": 5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: 5", "1:7: name: should be a valid string"),
        ("name: x\nloaded: yes", "2:9: loaded: should be a valid boolean"),
        ("name: x\nloaded: 1", "2:9: loaded: should be a valid boolean"),
        ("name: x\nspare: {spokes: '5'}", "2:17: spare.spokes: should be a valid integer"),
        ("name: x\nspare: {spokes: true}", "2:17: spare.spokes: should be a valid integer"),
        ("name: x\nspare: {spokes: 5.0}", "2:17: spare.spokes: should be a valid integer"),
        ("name: x\nspare: no", "2:8: spare: must be a mapping; it can have: spokes, from; `none` for none at all"),
        ("name: x\nwheels: [5]", "2:10: wheels[0]: must be a mapping; it can have: spokes, from"),
        ("name: x\nby_name: {front: 5}", "2:18: by_name.front: must be a mapping; it can have: spokes, from"),
        ("name: x\nspare: {spokes: 0}", "2:17: spare.spokes: should be greater than 0"),
        ("name: x\ncolour: green", "2:9: colour: should be 'red' or 'blue'"),
        ("name: secret", "1:7: name: this name is taken"),
        ("loaded: true", "1:1: name: is missing"),
        ("name: null", "1:7: name: has no value; write one, or leave the key out"),
        ("name: x\nload: null", "2:7: load: has no value; write one, or leave the key out"),
        ("name: x\nspare: null", "2:8: spare: has no value; write one, or leave the key out"),
        ("name: x\nwheels: [null]", "2:10: wheels[0]: has no value; write one, or leave the key out"),
        ("name: x\nby_name: {spokes: null}", "2:19: by_name.spokes: has no value; write one, or leave the key out"),
        ("name: x\nby_name: {spokes: {spokes: 5, from: null}}", "2:37: by_name.spokes.from: has no value; write one, or "),
        ("name: x\nspare:\n  from: y", "2:1: spare.spokes: is missing; how many it has"),
        (
            "name: x\ncolor: red",
            "2:1: color: there is no such key; did you mean 'colour'? Allowed are: name, colour, loaded, ",
        ),
        ("name: x\nspare: {spokes: 1, zzz: 2}", "2:20: spare.zzz: there is no such key. Allowed are: spokes, from"),
        (
            "name: x\nspare: {spokes: 1, from_: a}",
            "2:20: spare.from_: there is no such key; did you mean 'from'? Allowed are: spokes, from",
        ),
        (
            "name: x\nwheels:\n  - {spokes: 1}\n  - {spoke: 1, spokes: 2}",
            "4:6: wheels[1].spoke: there is no such key; did you mean 'spokes'? Allowed are: spokes, from",
        ),
        ("name: x\nby_name: {front: {spokes: x}}", "2:27: by_name.front.spokes: should be a valid integer"),
        (
            "name: x\nby_name: {front: {spokes: 1, fro: x}}",
            "2:30: by_name.front.fro: there is no such key; did you mean 'from'? Allowed are: spokes, from",
        ),
        ("name: x\nwheels: []", "2:1: wheels: must have at least 1 item"),
        ("[]", "1:1: must be a mapping; it can have: name, colour"),
    ],
)
def test_a_problem_is_told_with_its_place_and_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    (problem,) = refused(tmp_path, text)
    assert problem.startswith(told)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path, "nam: x\ncolour: green\nwheels: [{spokes: 0}, {}]\n")
    assert [one.split(": ")[1] for one in told] == ["name", "colour", "wheels[0].spokes", "wheels[1].spokes", "nam"]


def test_a_part_of_a_document_can_be_built(tmp_path: Path) -> None:
    whole = document(tmp_path, "carts:\n  - name: x\n  - name: y\n    spare: {spokes: 0}\n")
    assert build(whole, Cart, ("carts", 0)).name == "x"
    with pytest.raises(ConfigurationError) as caught:
        build(whole, Cart, ("carts", 1))
    (problem,) = caught.value.problems
    assert str(problem) == f"{tmp_path}/cart.yaml:4:21: carts[1].spare.spokes: should be greater than 0"


def test_a_refused_value_is_never_quoted(tmp_path: Path) -> None:
    assert "hunter2" not in "".join(refused(tmp_path, "name: x\nloaded: hunter2\ncolour: hunter2\nspare: {spokes: hunter2}"))


def test_what_was_not_read_from_a_file_stands_at_its_name() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(Document(Path("made up"), {"name": 5}), Cart)
    assert str(caught.value.problems[0]) == "made up: name: should be a valid string"
