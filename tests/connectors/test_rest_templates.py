"""A value fills its hole and nothing else: no key leads a request to another place."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.connector import ConnectorError
from retentiond_rest.templates import filled_data, filled_path, holes

KEYS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["..", ".", "", "../x", "a/../b", "%2e%2e", "x?y#z", "a/"]
)


@given(KEYS)
def test_a_key_is_one_step_of_the_address_and_just_itself_or_refused(key: str) -> None:
    try:
        path = filled_path("/v1/things/{id}/parts", {"id": key})
    except ConnectorError:
        assert key in {"", ".", ".."}
        return
    steps = path.split("/")
    assert len(steps) == 5
    assert unquote(steps[3]) == key
    assert path.isascii()
    assert not {"?", "#", " ", "\r", "\n"} & set(path)


@given(KEYS)
def test_a_path_of_several_steps_never_leads_up_or_ends_in_a_slash(key: str) -> None:
    try:
        path = filled_path("/zone/{path}", {"path": key})
    except ConnectorError:
        assert {"", ".", ".."} & set(key.split("/"))
        return
    assert not path.endswith("/")
    assert not {"", ".", ".."} & set(path.split("/")[1:])
    assert unquote(path) == f"/zone/{key}"


@given(KEYS)
def test_a_body_holds_the_value_as_it_is(key: str) -> None:
    assert filled_data({"a": ["{id}", 1, None, True], "b": "x{id}y"}, {"id": key}) == {"a": [key, 1, None, True], "b": f"x{key}y"}


def test_a_whole_number_is_one_or_refused() -> None:
    assert filled_data(["{int:id}"], {"id": "12"}) == [12]
    assert filled_data("subscribers.id = {int:id}", {"id": "12"}) == "subscribers.id = 12"
    for wrong in ("1 OR 1=1", "", "1.5", "ten", "１"):
        for template in (["{int:id}"], "subscribers.id = {int:id}"):
            with pytest.raises(ConnectorError, match="no whole number"):
                filled_data(template, {"id": wrong})


def test_every_hole_is_known_however_deep() -> None:
    assert holes({"a": ["{int:id}", {"b": "{values.x}"}], "c": 7}) == {"id", "values.x"}
