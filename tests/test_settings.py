"""GROUNDSWELL_*: an error names the variable, keys are demanded and never shown."""

import pytest

from groundswell.errors import ParamsError
from groundswell.settings import DEMO_PSEUDONYM_KEY, Settings, load_settings


def test_a_setting_that_can_not_be_read_is_named(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_AIRFLOW_PORT", "many")
    with pytest.raises(ParamsError, match="GROUNDSWELL_AIRFLOW_PORT: .*'many'"):
        load_settings()


def test_a_key_for_pseudonyms_is_demanded_outside_the_demo():
    with pytest.raises(ParamsError, match="GROUNDSWELL_PSEUDONYM_KEY"):
        Settings().keys_for_pseudonyms()
    with pytest.raises(ParamsError, match="which everybody knows"):
        Settings(pseudonym_key=DEMO_PSEUDONYM_KEY).keys_for_pseudonyms()
    assert Settings(is_demo=True).keys_for_pseudonyms()
    assert Settings(pseudonym_key="x" * 16).keys_for_pseudonyms() == (b"x" * 16,)


def test_no_key_is_in_what_settings_show_of_themselves():
    keys = dict.fromkeys(("pseudonym_key", "pseudonym_keys_before", "verdict_key", "serving_key"), "never-to-be-shown-anywhere")
    assert "never-to-be-shown" not in f"{Settings(**keys)!r} {Settings(**keys)}"


def test_the_keys_before_come_after_the_one_in_use():
    settings = Settings(pseudonym_key="x" * 16, pseudonym_keys_before=f"{'y' * 16}, {'x' * 16},{'z' * 16}")
    assert settings.keys_for_pseudonyms() == (b"x" * 16, b"y" * 16, b"z" * 16)
    with pytest.raises(ParamsError, match="GROUNDSWELL_PSEUDONYM_KEYS_BEFORE: expected at least 16 characters") as caught:
        Settings(pseudonym_key="x" * 16, pseudonym_keys_before="short").keys_for_pseudonyms()
    assert "short" not in str(caught.value)


def test_a_databases_url_names_the_driver_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_MLFLOW_DATABASE_URL", "postgresql://mlflow:told-to-nobody@db/mlflow")
    with pytest.raises(ParamsError, match=r"GROUNDSWELL_MLFLOW_DATABASE_URL: .*expected postgresql\+psycopg2://USER") as refused:
        load_settings()
    assert "told-to-nobody" not in str(refused.value)
    monkeypatch.setenv("GROUNDSWELL_MLFLOW_DATABASE_URL", "postgresql+psycopg2://mlflow:told-to-nobody@db/mlflow")
    settings = load_settings()
    assert "told-to-nobody" not in repr(settings)
    assert settings.tracking_uri == "http://127.0.0.1:5000"
