from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retentiond.errors import ConfigurationError
from retentiond.policy.load import in_force, load
from retentiond.policy.loaded import LoadedPolicy

SAMPLES = Path(__file__).parents[2] / "data/policies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLES, tmp_path / "policies"))


def refused(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError, match="nothing was done") as caught:
        load(path)
    return [str(problem) for problem in caught.value.problems]


def test_a_folder_is_read_by_name(folder: Path) -> None:
    assert [loaded.path.name for loaded in load(folder)] == ["accounting.yaml", "relations.yaml", "web-hosting.yaml"]


def test_one_file_is_read_alone(folder: Path) -> None:
    (loaded,) = load(folder / "accounting.yaml")
    assert loaded.policy.policy == "accounting"
    assert len(loaded.file_digest) == 64


def test_a_rule_knows_where_it_stands(folder: Path) -> None:
    loaded = load(folder)[2]
    first, second = loaded.policy.rules
    assert loaded.where(first) == f"{loaded.path}:9:5"
    assert loaded.where(second) == f"{loaded.path}:21:5"


def test_a_policy_that_came_from_no_file_stands_at_its_path(folder: Path) -> None:
    loaded = load(folder)[2]
    bare = LoadedPolicy(loaded.policy, Path("elsewhere"), loaded.file_digest)
    assert bare.where(loaded.policy.rules[0]) == "elsewhere"


def test_what_is_hidden_or_no_policy_is_not_read(folder: Path) -> None:
    for name in (".hidden.yaml", "notes.md", "relations.yaml~", "relations.yaml.bak"):
        (folder / name).write_text("no: policy")
    (folder / "old").mkdir()
    (folder / "old" / "policy.yaml").write_text("no: policy")
    assert len(load(folder)) == 3


@pytest.mark.parametrize("name", ["more.yml", "more.YML", "more.YAML"])
def test_a_policy_under_another_ending_is_not_passed_over_in_silence(folder: Path, name: str) -> None:
    (folder / name).write_text("policy: more")
    assert refused(folder) == [f"{folder / name}: only *.yaml is read; rename the file to more.yaml"]


def test_a_link_to_a_policy_is_read_and_a_broken_one_is_an_error(folder: Path) -> None:
    (folder / "web-hosting.yaml").rename(folder.parent / "elsewhere.yaml")
    (folder / "web-hosting.yaml").symlink_to(folder.parent / "elsewhere.yaml")
    assert len(load(folder)) == 3
    (folder.parent / "elsewhere.yaml").unlink()
    assert refused(folder) == [f"{folder / 'web-hosting.yaml'}: the file cannot be read: no such file or directory"]


def test_a_folder_that_is_named_like_a_policy_is_an_error(folder: Path) -> None:
    (folder / "more.yaml").mkdir()
    assert refused(folder) == [f"{folder / 'more.yaml'}: this is no regular file"]


def test_a_folder_without_a_policy_is_an_error(tmp_path: Path) -> None:
    assert refused(tmp_path) == [f"{tmp_path}: the folder holds no policy; one is a file that ends in .yaml"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == [f"{tmp_path / 'none.yaml'}: the file cannot be read: no such file or directory"]


def test_the_problems_of_all_files_are_told_at_once(folder: Path) -> None:
    for name in ("accounting.yaml", "web-hosting.yaml"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("keep_at_least:", "keep_at_last:").replace("action: delete", "action: destroy"))
    told = refused(folder)
    assert {problem.split(":")[0] for problem in told} == {f"{folder}/accounting.yaml", f"{folder}/web-hosting.yaml"}
    misspelt = f"{folder}/web-hosting.yaml:14:5: rules[0].keep_at_last: there is no such key; did you mean 'keep_at_least'?"
    assert any(one.startswith(f"{misspelt} Allowed are: id, data_kind, ") for one in told)
    assert sum("rules[0].action: should be 'delete', 'block' or 'anonymize'" in one for one in told) == 2


def test_what_is_unique_is_unique_over_all_files(folder: Path) -> None:
    first, copy = folder / "web-hosting.yaml", folder / "z-copy.yaml"
    copy.write_text(first.read_text().replace("policy: web-hosting", "policy: another"))
    once = "one data set has one rule"
    assert refused(folder) == [
        f"{copy}:9:9: rules[0].id: a rule named web.access-log is already at {first}:9:9",
        f"{copy}:21:9: rules[1].id: a rule named chat.session is already at {first}:21:9",
        f"{copy}:12:5: rules[0].target: webserver/access-log is already governed by the rule at {first}:12:5; {once}",
        f"{copy}:24:5: rules[1].target: chatbot/sessions is already governed by the rule at {first}:24:5; {once}",
    ]


def test_versions_of_a_policy_begin_on_different_days(folder: Path) -> None:
    first, copy = folder / "web-hosting.yaml", folder / "z-copy.yaml"
    shutil.copy(first, copy)
    assert refused(folder) == [
        f"{copy}:1:9: policy: a policy named web-hosting that is valid from that day is already at {first}:1:9"
    ]
    copy.write_text(first.read_text().replace('valid_from: "2025-01-01"', 'valid_from: "2027-01-01"'))
    loaded = load(folder)

    def counting(moment: datetime) -> list[Path]:
        return [one.path for one in in_force(loaded, moment) if one.policy.policy == "web-hosting"]

    assert counting(datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)) == [first]
    assert counting(datetime(2026, 12, 31, 23, tzinfo=UTC)) == [copy], "the year begins in the zone of the policy"
    assert counting(datetime(2024, 12, 31, 22, 59, 59, tzinfo=UTC)) == []


def test_a_file_that_is_no_mapping_is_told_what_it_should_have(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- policy\n")
    assert refused(tmp_path) == [
        (
            f"{tmp_path}/list.yaml:1:1: must be a mapping; it can have: "
            f"policy, title, purpose, basis, notice, valid_from, systems, attestations, zone, rules"
        )
    ]


def test_the_policy_that_the_manual_shows_loads_and_its_case_comes_out(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[3] / "policies/README.md").read_text()
    (tmp_path / "manual.yaml").write_text(manual.split("```yaml\n")[1].split("```")[0])
    (loaded,) = load(tmp_path)
    assert loaded.policy.rules[0].cases
