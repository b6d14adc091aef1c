"""stack, and simulate: every platform is the simulated one, and nobody is handed a real credential."""

from pydantic import SecretStr

from groundswell import stack
from groundswell.settings import Settings
from groundswell.simulator.content import PLATFORMS
from groundswell.simulator.server import addresses
from groundswell.sources import SOURCES, source_named


def test_no_platform_of_the_stack_is_a_live_one(tmp_path):
    fields = {name: field for name, field in Settings.model_fields.items() if name != "lake_options"}  # the lake is the user's own in the stack too
    secrets = {name: SecretStr("the-real-one") for name, field in fields.items() if field.annotation is SecretStr}
    plain = Settings(project=tmp_path, home=tmp_path).model_copy(update=secrets)
    found = stack.environment(stack.settings_of_the_stack(plain), "games")
    assert "the-real-one" not in [value for name, value in found.items() if name.startswith("GROUNDSWELL_")]
    platforms = [name for name in SOURCES if name in PLATFORMS]
    assert {"bluesky", "hackernews", "reddit", "steam", "x"} <= set(platforms)
    for platform in platforms:
        for need in (*source_named(platform).needs, f"{platform}_url"):
            if need in Settings.model_fields:
                value = found[f"GROUNDSWELL_{need.upper()}"]
                assert value.startswith(f"http://127.0.0.1:8400/{platform}") if need.endswith("_url") else value


def test_who_sets_what_simulate_prints_asks_the_simulator_alone():
    told = dict(line.removeprefix("export GROUNDSWELL_").split("=", 1) for line in addresses("http://127.0.0.1:7"))
    platforms = [name for name in SOURCES if name in PLATFORMS]
    assert {need.upper() for platform in platforms for need in source_named(platform).needs if need in Settings.model_fields} <= set(told)
    assert all(value.startswith("http://127.0.0.1:7/") for name, value in told.items() if name.endswith("_URL"))
    assert told["REDDIT_TOKEN_URL"] == "http://127.0.0.1:7/reddit/api/v1/access_token"
