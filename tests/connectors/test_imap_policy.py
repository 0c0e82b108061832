"""The shipped rules for e-mail can be asked of a mailbox just as the README sets one up."""

from __future__ import annotations

import re
from pathlib import Path

from retentiond.connector.registry import bind, connectors
from retentiond.document import read
from retentiond.engine.assignment import assign
from retentiond.policy.load import load
from retentiond.settings import SystemSettings

ROOT = Path(__file__).parents[2]


def test_every_rule_for_mail_finds_its_dates_facts_and_actions(tmp_path: Path) -> None:
    text = (ROOT / "connectors/retentiond_imap/README.md").read_text(encoding="utf-8")
    shown = re.search(r"^```yaml\n(systems:.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert shown is not None
    file = tmp_path / "settings.yaml"
    file.write_text(shown[1], encoding="utf-8")
    document = read(file)
    bound = bind({name: SystemSettings(**told) for name, told in document.data["systems"].items()}, connectors(), document)
    assigned = assign(load(ROOT / "policies/balanced-bytes/email.yaml"), bound)
    assert {one.rule.target.dataset for one in assigned} == {target.dataset for target in bound if target.system == "mailbox"}
