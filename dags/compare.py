"""compare: the DAG that puts every approach on the same rows, when somebody asks for it."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, Param
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
Started by hand or by a trigger, never by itself: on the data set that `prepare` left, every row of `compare` in params.yaml is fitted fold by
fold and seed by seed, and judged on the same rows (docs/stages/compare.md). One table with intervals, costs and what can't be told apart:
*Comparison* and *MLflow run* on the task's page. It takes minutes for the counted approaches and hours for the transformers, in the pool `heavy`:
retraining waits meanwhile. When it is done, the DAG `report` writes the topic's report anew.

### Parameters
`rows`: names between commas, to do only these. `budget`: minutes; what would not be done by then is left for the next run.

### When it fails
- It may be killed, cleared or started anew at any time: what was done is kept below `var/compare`, and the same MLflow run goes on.
- One approach that crashes fails nothing: its row says why, and is tried again by the next run.
- *no row was done*: every one failed; the reasons are in the message.
"""

params = load_params(load_settings())

with DAG(
    "compare",
    description="Every approach on the same folds: quality with intervals, cost, speed",
    doc_md=RUNBOOK,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params={
        "topic": Param("", type="string", enum=["", *sorted(params.topics)], description="Empty: params.yaml's."),
        "rows": Param("", type="string", description="Names of rows between commas; empty: all."),
        "budget": Param(None, type=["null", "number"], minimum=0, description="Minutes; empty: as long as it takes."),
    },
    user_defined_macros={"default_topic": params.topic},
    default_args={"retries": 1, "retry_delay": timedelta(seconds=30)},
    tags=["groundswell"],
) as dag:
    StageOperator(
        task_id="compare",
        stage="compare",
        topic="{{ params.topic or default_topic }}",
        options={"rows": "{{ params.rows }}", "budget": "{{ params.budget }}"},
        pool="heavy",
        outlets=[Asset("compared")],
    )
