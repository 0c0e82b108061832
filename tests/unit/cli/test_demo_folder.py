from __future__ import annotations

from pathlib import Path

import pytest

from retentiond.cli.demo.folder import MARK, make_folder, write_settings
from retentiond.errors import ConfigurationError


def test_a_folder_that_is_not_the_demos_is_never_touched(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    with pytest.raises(ConfigurationError, match="nothing was touched"):
        make_folder(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_a_link_is_never_followed_to_be_emptied(tmp_path: Path) -> None:
    real = tmp_path / "real"
    make_folder(real)
    (tmp_path / "link").symlink_to(real)
    with pytest.raises(ConfigurationError):
        make_folder(tmp_path / "link")


def test_a_folder_of_an_earlier_demo_is_emptied_but_not_what_its_links_point_at(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    folder = make_folder(tmp_path / "demo")
    (folder / "state").mkdir()
    (folder / "state" / "log.db").write_text("old")
    (folder / "link").symlink_to(outside)
    assert make_folder(folder) == folder
    assert [entry.name for entry in folder.iterdir()] == [MARK]
    assert (outside / "kept.txt").exists()


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "new" / "demo").is_dir()


def test_settings_and_policies_come_along(tmp_path: Path) -> None:
    settings = write_settings(make_folder(tmp_path / "demo"))
    assert f"sqlite:///{tmp_path}/demo/company.db" in settings.read_text(encoding="utf-8")
    assert "@FOLDER@" not in settings.read_text(encoding="utf-8").replace("# Settings of the demonstration. @FOLDER@", "")
    assert sorted(path.name for path in (tmp_path / "demo" / "policies").iterdir()) == [
        "accounting.yaml",
        "customer-relations.yaml",
        "web-hosting.yaml",
    ]
