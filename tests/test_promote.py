"""Promote and rollback: the alias moves once, after the candidate has answered, and the ledger says so once, whatever is killed when."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from models import VERDICT_KEY, artifacts_of, project_with_registry, register
from pydantic import SecretStr

from groundswell import registry
from groundswell.errors import JudgeRefused, ModelError, ParamsError, RegistryError
from groundswell.files import sha256_of, write_json
from groundswell.ledger import Entry, Ledger
from groundswell.params import PromoteParams
from groundswell.promote import PREVIOUS, promote, rollback
from groundswell.schema import registered_model
from groundswell.settings import DEMO_VERDICT_KEY, Settings
from groundswell.signature import signed
from groundswell.verdict import digest_of

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
OTHER_DATA = "1" * 32 + ".dir"


# --- the ledger -------------------------------------------------------------------------------------------------------


def _entry(after, before=None, action="promote", digest=None):
    return Entry("2026-11-02T08:00:00Z", "ann", action, before, after, digest)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(Settings(project=tmp_path), "games")


def test_lines_are_added_and_never_changed(ledger):
    ledger.append(_entry("1"))
    first = ledger.path.read_bytes()
    ledger.append(_entry("2", "1"))
    ledger.append(_entry("2", "1"))
    assert ledger.path.read_bytes().startswith(first) and len(ledger.entries()) == 2
    assert json.loads(first) == {"at": "2026-11-02T08:00:00Z", "by": "ann", "action": "promote", "from": None, "to": "1", "verdict_digest": None}


def test_a_torn_line_is_passed_over_and_the_next_one_is_whole(ledger):
    ledger.append(_entry("1"))
    with open(ledger.path, "a") as file:
        file.write('{"at": "2026-1')
    ledger.append(_entry("2", "1"))
    assert [entry.after for entry in ledger.entries()] == ["1", "2"]


def test_what_was_rolled_back_is_no_reign(ledger):
    assert ledger.reigns() == []
    for entry in (_entry("1"), _entry("2", "1"), _entry("3", "2"), _entry("2", "3", "rollback")):
        ledger.append(entry)
    assert ledger.reigns() == ["1", "2"]
    ledger.append(_entry("4", "2"))
    assert ledger.reigns() == ["1", "2", "4"]


def test_who_was_rolled_back_is_known_until_it_is_champion_again(ledger):
    for entry in (_entry("1"), _entry("2", "1")):
        ledger.append(entry)
    assert not ledger.has_rolled_back("2")
    ledger.append(_entry("1", "2", "rollback"))
    assert ledger.has_rolled_back("2") and not ledger.has_rolled_back("1")
    ledger.append(_entry("2", "1"))
    assert not ledger.has_rolled_back("2")


def test_a_move_cut_short_is_settled_once(ledger):
    with pytest.raises(RuntimeError):
        ledger.move(_entry("1"), _raise)
    assert ledger.settle(None) is None and ledger.entries() == []  # the alias had not moved
    with pytest.raises(RuntimeError):
        ledger.move(_entry("1"), _raise)
    assert ledger.settle("1") == _entry("1") and ledger.settle("1") is None  # it had: the line was due
    assert ledger.entries() == [_entry("1")]


def _raise(version):
    raise RuntimeError


def test_one_at_a_time_holds_the_ledger_and_who_comes_second_waits(ledger):
    is_in = threading.Event()

    def second():
        with ledger.alone():
            is_in.set()

    with ledger.alone():
        waiting = threading.Thread(target=second, daemon=True)
        waiting.start()
        assert not is_in.wait(0.3)
    assert is_in.wait(10)


def test_another_verdict_than_the_approved_one_is_refused_before_anything_is_asked(tmp_path):
    settings = Settings(project=tmp_path, mlflow_uri="http://127.0.0.1:9", verdict_key=VERDICT_KEY)
    approved, found = _verdict(settings, "5", "4", export_sha256=None), _verdict(settings, "6", "4", export_sha256=None)
    with pytest.raises(JudgeRefused, match=f"approved was the verdict {approved}, .* now holds {found} on version 6"):
        _promote(settings, verdict_digest=approved)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda verdict: verdict.pop("signature"), "is not signed: anybody could have written it"),
        (lambda verdict: verdict.update(signature="yes"), "is not signed"),
        (lambda verdict: verdict.update(verdict="PROMOTE"), "not what the judge wrote"),
        (lambda verdict: verdict.update(judged_at="2026-11-02T07:00:00Z"), "not what the judge wrote"),
        (lambda verdict: verdict.update(more="than it said"), "not what the judge wrote"),
        (lambda verdict: verdict["reasons"].append("And fast."), "not what the judge wrote"),
        (lambda verdict: verdict.update(digest=digest_of(verdict)) or verdict["signature"].update(value="0" * 64), "not what the judge wrote"),
        (lambda verdict: verdict["signature"].update(key_id="00000000"), "signed with key 00000000"),
        (lambda verdict: verdict["signature"].update(algorithm="none"), "signed with key .* \\(none\\)"),
        (lambda verdict: verdict.update(signed({**verdict}, b"a key of somebody else")), "signed with key"),
        (lambda verdict: verdict.update(signed({**verdict}, DEMO_VERDICT_KEY.encode())), "signed with key"),
    ],
)
def test_a_verdict_that_is_unsigned_or_altered_is_refused_before_anything_is_asked(tmp_path, change, reason):
    settings = Settings(project=tmp_path, mlflow_uri="http://127.0.0.1:9", verdict_key=VERDICT_KEY)
    _verdict(settings, "5", "4", verdict="HOLD", export_sha256=None)
    path = settings.report("judge", "games")
    verdict = json.loads(path.read_text())
    change(verdict)
    write_json(verdict, path)
    with pytest.raises(JudgeRefused, match=reason):
        _promote(settings)


def test_a_verdict_on_another_topic_is_refused_before_anything_is_asked(tmp_path):
    settings = Settings(project=tmp_path, mlflow_uri="http://127.0.0.1:9", verdict_key=VERDICT_KEY)
    _verdict(settings, "5", "4", export_sha256=None, topic="films")
    with pytest.raises(JudgeRefused, match="judges topic films, expected games"):
        _promote(settings)


def test_without_a_key_nothing_is_promoted_and_the_demos_is_the_demos(tmp_path):
    settings = Settings(project=tmp_path, mlflow_uri="http://127.0.0.1:9", verdict_key=VERDICT_KEY)
    _verdict(settings, "5", "4", export_sha256=None)
    with pytest.raises(ParamsError, match="GROUNDSWELL_VERDICT_KEY: expected at least 16"):
        _promote(settings.model_copy(update={"verdict_key": SecretStr("")}))
    with pytest.raises(ParamsError, match="which everybody knows"):
        _promote(settings.model_copy(update={"verdict_key": SecretStr(DEMO_VERDICT_KEY)}))
    assert settings.model_copy(update={"verdict_key": SecretStr(""), "is_demo": True}).key_for_verdicts() == DEMO_VERDICT_KEY.encode()
    assert VERDICT_KEY not in repr(settings)


# --- the stages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    return project_with_registry(tmp_path / "project")


def _verdict(settings, challenger, champion=None, verdict="PROMOTE", **changes):
    found = {"topic": "games", "verdict": verdict, "reasons": ["It is better."], "challenger_version": challenger, "champion_version": champion}
    if "export_sha256" not in changes:
        changes["export_sha256"] = _export_sha256(settings, challenger)
    found |= {"judged_at": "2026-11-01T08:00:00Z", **changes}
    found["digest"] = digest_of(found)
    write_json(signed(found, settings.key_for_verdicts()), settings.report("judge", "games"))
    return found["digest"]


def _export_sha256(settings, version):
    """What serving calls the export; of a version that no registry has, none."""
    try:
        return sha256_of(artifacts_of(settings, version) / "manifest.json")
    except (AttributeError, RegistryError):
        return None


def _promote(settings, by="ann", verdict_digest=None, now=NOW):
    return promote("games", by=by, verdict_digest=verdict_digest, settings=settings, params=PromoteParams(), now=now)


def _rollback(settings):
    return rollback("games", by="bob", settings=settings, now=NOW)


def _champion(settings):
    found = registry.version_by_alias(settings, "games", "champion")
    return found.version if found else None


def _reign(settings, count):
    """``count`` champions, one after the other."""
    champion = None
    for number in range(count):
        version = register(settings, "good" if number % 2 else "better", dataset_md5=f"{number:032d}.dir")
        _verdict(settings, version, champion, number=number)
        _promote(settings)
        champion = version
    return champion


@pytest.mark.slow
def test_promote_moves_the_alias_tags_the_one_before_and_writes_one_line(settings):
    _reign(settings, 2)
    assert _champion(settings) == "2"
    assert registry.version_numbered(settings, "games", "1").tags[PREVIOUS] == "2"
    [first, second] = Ledger(settings, "games").entries()
    assert (first.before, first.after, second.before, second.after, second.by, second.at) == (None, "1", "1", "2", "ann", "2026-11-02T08:00:00Z")
    again = _promote(settings, by="somebody else")
    assert again["is_moved"] is False and again["champion_version"] == "2"
    assert Ledger(settings, "games").entries() == [first, second]


@pytest.mark.slow
def test_the_verdict_that_was_approved_is_the_one_that_counts(settings):
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    digest = _verdict(settings, version)
    with pytest.raises(JudgeRefused, match="approved was the verdict d5"):
        _promote(settings, verdict_digest="d5")
    assert _champion(settings) is None
    assert _promote(settings, verdict_digest=digest)["entry"]["verdict_digest"] == digest
    assert _champion(settings) == version


@pytest.mark.slow
def test_a_rollback_in_the_middle_of_a_promotion_waits_for_its_end(settings, monkeypatch):
    champion = _reign(settings, 2)
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    _verdict(settings, version, champion)
    real, reports = registry.set_alias, []
    rolling = threading.Thread(target=lambda: reports.append(_rollback(settings)), daemon=True)

    def slow(*given):
        monkeypatch.setattr(registry, "set_alias", real)
        rolling.start()
        rolling.join(4)  # announced, not moved: time enough for a rollback that does not wait
        real(*given)

    monkeypatch.setattr(registry, "set_alias", slow)
    _promote(settings)
    rolling.join(60)
    assert [(entry.before, entry.after) for entry in Ledger(settings, "games").entries()] == [(None, "1"), ("1", "2"), ("2", "3"), ("3", "2")]
    assert reports[0]["champion_version"] == _champion(settings) == "2"


@pytest.mark.slow
def test_what_the_verdict_does_not_allow_is_refused(settings):
    with pytest.raises(JudgeRefused, match="run groundswell judge"):
        _promote(settings)
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    _verdict(settings, version, verdict="HOLD")
    with pytest.raises(JudgeRefused, match="is HOLD, not PROMOTE: It is better"):
        _promote(settings)
    _verdict(settings, version, champion="7")
    with pytest.raises(JudgeRefused, match="compares with champion 7, the champion is now None"):
        _promote(settings)
    _verdict(settings, version)
    path = settings.report("judge", "games")
    path.write_text(path.read_text().replace("It is better", "It is good"))
    with pytest.raises(JudgeRefused, match="not what the judge wrote"):
        _promote(settings)
    _verdict(settings, version)
    with pytest.raises(JudgeRefused, match="at most 96 are allowed"):
        _promote(settings, now=NOW + timedelta(hours=73))
    _verdict(settings, version, export_sha256="0" * 64)
    with pytest.raises(JudgeRefused, match="was judged as export 000000000000…, the registry now holds"):
        _promote(settings)
    _verdict(settings, version)
    register(settings, "better")
    with pytest.raises(JudgeRefused, match="is on version 1, the challenger is now 2"):
        _promote(settings)
    assert _champion(settings) is None and Ledger(settings, "games").entries() == []


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["a damaged file", "a file that nobody vouches for", "a model of another topic"])
def test_a_candidate_that_serving_would_refuse_moves_nothing(settings, broken):
    from models import rehash

    version = register(settings, "good", dataset_md5=OTHER_DATA)
    export = artifacts_of(settings, version)
    if broken == "a damaged file":
        (export / "model.int8.onnx").write_bytes(b"not a model")
    elif broken == "a file that nobody vouches for":
        (export / "model.onnx.data").write_bytes(b"external")
    else:
        write_json(json.loads((export / "config.json").read_text()) | {"topic": "finance"}, export / "config.json")
        rehash(export)
    _verdict(settings, version)
    with pytest.raises(ModelError):
        _promote(settings)
    assert _champion(settings) is None and Ledger(settings, "games").entries() == []


@pytest.mark.slow
def test_a_registry_that_goes_down_in_the_middle_leaves_the_alias_and_the_next_try_ends_it(settings, monkeypatch):
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    _verdict(settings, version)
    dead = settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"})
    real = registry.set_alias
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(registry, "set_alias", lambda _, *rest: real(dead, *rest))  # down from here on: a real dead address
    with pytest.raises(RegistryError, match="127.0.0.1:9"):
        _promote(settings)
    monkeypatch.setattr(registry, "set_alias", real)
    assert _champion(settings) is None and Ledger(settings, "games").entries() == []
    assert _promote(settings)["is_moved"] is True
    assert _champion(settings) == version and len(Ledger(settings, "games").entries()) == 1


@pytest.mark.slow
def test_a_registry_that_is_down_from_the_start_is_an_error_that_ends_the_command_with_1(settings):
    _verdict(settings, "1")
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.cli", "promote", "--by", "ann"],
        env={
            **os.environ,
            "GROUNDSWELL_PROJECT": str(settings.project),
            "GROUNDSWELL_MLFLOW_URI": "http://127.0.0.1:9",
            "GROUNDSWELL_VERDICT_KEY": VERDICT_KEY,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "registry" in done.stderr.splitlines()[-1] and not done.stdout


KILLED_BEFORE_THE_LINE = textwrap.dedent(
    """
    import os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from groundswell import ledger, promote as stage
    from groundswell.params import PromoteParams
    from groundswell.settings import Settings

    ledger.Ledger.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    settings = Settings(project=Path(sys.argv[1]), verdict_key=sys.argv[3])
    given = {"params": PromoteParams()} if sys.argv[2] == "promote" else {}
    getattr(stage, sys.argv[2])("games", by="ann", settings=settings, **given, now=datetime(2026, 11, 2, 8, tzinfo=UTC))
    """
)


def _killed(settings, action, place):
    """A real kill between alias and line, where all is at stake; elsewhere the process just gets no further."""
    if place == "after the alias":
        done = subprocess.run(
            [sys.executable, "-c", KILLED_BEFORE_THE_LINE, str(settings.project), action, VERDICT_KEY], capture_output=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        return
    target = (registry, "set_alias") if place == "before the alias" else (Path, "unlink")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(_NoFurther):
        patch.setattr(*target, _no_further)
        _promote(settings) if action == "promote" else _rollback(settings)


class _NoFurther(BaseException):
    pass


def _no_further(*_, **__):
    raise _NoFurther


@pytest.mark.slow
def test_killed_anywhere_and_run_again_it_ends_the_same(settings):
    champion = _reign(settings, 1)
    for number, place in enumerate(["before the alias", "after the alias", "after the line"]):
        version = register(settings, "good", dataset_md5=f"{number + 5:032d}.dir")
        _verdict(settings, version, champion, number=10 + number)
        _killed(settings, "promote", place)
        assert _promote(settings)["champion_version"] == version == _champion(settings)
        champion = version
    lines = [(entry.before, entry.after) for entry in Ledger(settings, "games").entries()]
    assert lines == [(None, "1"), ("1", "2"), ("2", "3"), ("3", "4")]
    for place, expected in (("before the alias", "3"), ("after the alias", "2"), ("after the line", "1")):
        _killed(settings, "rollback", place)
        assert _rollback(settings)["champion_version"] == expected == _champion(settings)  # one step, not two
    assert [entry.after for entry in Ledger(settings, "games").entries()] == ["1", "2", "3", "4", "3", "2", "1"]


@pytest.mark.slow
def test_rollback_passes_over_what_is_broken_and_says_so(settings):
    _reign(settings, 3)
    (artifacts_of(settings, "2") / "model.int8.onnx").unlink()
    report = _rollback(settings)
    assert (report["champion_version"], _champion(settings)) == ("1", "1")
    assert list(report["skipped"]) == ["2"] and "model.int8.onnx" in report["skipped"]["2"]
    with pytest.raises(ModelError, match="the ledger knows of none"):
        _rollback(settings)
    assert _champion(settings) == "1"


@pytest.mark.slow
def test_a_verdict_is_not_used_twice(settings):
    _reign(settings, 2)
    assert _rollback(settings)["champion_version"] == "1"
    with pytest.raises(JudgeRefused, match="rolled back since"):
        _promote(settings)
    assert _champion(settings) == "1"


@pytest.mark.slow
def test_an_older_verdict_does_not_bring_back_what_was_rolled_back(settings):
    champion = _reign(settings, 1)
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    _verdict(settings, version, champion, number=10)
    kept = settings.report("judge", "games").read_bytes()
    _verdict(settings, version, champion, number=11)
    _promote(settings)
    assert _rollback(settings)["champion_version"] == champion
    settings.report("judge", "games").write_bytes(kept)  # signed, young, of the versions that the aliases name: and no longer true
    with pytest.raises(JudgeRefused, match=f"version {version} was champion by another verdict, and was rolled back"):
        _promote(settings)
    assert _champion(settings) == champion


@pytest.mark.slow
def test_a_verdict_of_a_time_to_come_is_refused(settings):
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    _verdict(settings, version, judged_at="2026-11-02T09:30:00Z")
    with pytest.raises(JudgeRefused, match="made at 2026-11-02T09:30:00Z, 1.5 hours from now: the clock"):
        _promote(settings)
    assert _promote(settings, now=NOW + timedelta(minutes=86))["is_moved"] is True  # clocks may differ by some minutes


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_an_alias_that_is_moved_while_the_candidate_is_tried_is_noticed(settings, monkeypatch, alias):
    champion = _reign(settings, 1)
    other = register(settings, "better", dataset_md5="2" * 32 + ".dir")
    version = register(settings, "good", dataset_md5=OTHER_DATA)
    _verdict(settings, version, champion)
    real = registry.download_export

    def meanwhile(*given):
        registry.set_alias(settings, "games", alias, other)  # by somebody who does not hold the ledger
        return real(*given)

    monkeypatch.setattr(registry, "download_export", meanwhile)
    with pytest.raises(JudgeRefused, match=f"the {alias} is now {other}"):
        _promote(settings)
    assert _champion(settings) == (other if alias == "champion" else champion) and len(Ledger(settings, "games").entries()) == 1


@pytest.mark.slow
def test_with_no_champion_at_all_there_is_nothing_to_roll_back(settings):
    with pytest.raises(RegistryError, match=f"{registered_model('games')} has no champion"):
        _rollback(settings)
