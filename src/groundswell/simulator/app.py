"""The simulated platforms as one HTTP service: their real paths and shapes, under a prefix each, and faults on request."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException
from pydantic import AwareDatetime, BaseModel

from groundswell.simulator import annotations, bluesky, gdelt, hackernews, lemmy, mastodon, reddit, rss, steam, x
from groundswell.simulator.faults import KINDS, PLATFORMS, Faults, Plan, known
from groundswell.simulator.settings import SimulatorSettings

PLATFORM_ROUTES = (
    hackernews,
    reddit,
    steam,
    bluesky,
    mastodon,
    lemmy,
    x,
    rss,
    gdelt,
    annotations,
)


class Now(BaseModel):
    """As of when the platforms are looked at; null: everything that was ever posted."""

    now: AwareDatetime | None


def make_app(settings: SimulatorSettings) -> FastAPI:
    """The service for one world, as ``settings`` describe it."""
    settings = settings.model_copy()  # its time moves by PUT /now, and this app's alone
    app = FastAPI(title="Groundswell's simulated platforms")
    plan = Plan(settings.chaos)
    app.add_middleware(Faults, plan=plan, slow_seconds=settings.slow_seconds)
    for platform in PLATFORM_ROUTES:
        app.include_router(platform.router(settings))

    @app.get("/healthz")
    def healthz() -> dict:
        return {"status": "ok", "seed": settings.seed}

    @app.get("/now")
    def now() -> Now:
        return Now(now=settings.now)

    @app.put("/now")
    def put_now(wanted: Now) -> Now:
        settings.now = wanted.now
        return wanted

    @app.get("/faults")
    def faults() -> dict:
        return {"requests": plan.requests, "planned": plan.planned, "kinds": KINDS, "chaos": plan.chaos}

    @app.put("/faults/{platform}")
    def put_faults(platform: str, faults: dict[int, str]) -> dict:
        if platform not in PLATFORMS:
            raise HTTPException(404, f"expected a platform of {PLATFORMS}, found {platform!r}")
        unknown = sorted(set(faults.values()) - set(known(platform)))
        if unknown:
            raise HTTPException(400, f"expected faults of {known(platform)}, found {unknown}")
        plan.put(platform, faults)
        return {"planned": plan.planned}

    return app
