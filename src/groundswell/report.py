"""Report: everything that is known of a topic's model, as a page, as Markdown and as slides.

Reads what `reporting.facts` names: the registry, the run of the champion (without one: of the challenger), the ledger, the reports of the
other stages, the training rows for words. Writes ``reports/report/<topic>.html``, ``.md`` (its pictures in the folder ``<topic>/``),
``-slides.html``, on demand PDFs of both pages, and the report's own JSON last; the same files onto that run, under ``report/``. What is
missing is said in its place and the report is made all the same; refuses only a registry that can't be asked and files that can't be read.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from groundswell import tracking
from groundswell.files import replacing, replacing_folder, write_json
from groundswell.reporting import blocks
from groundswell.reporting.facts import Facts, gather
from groundswell.reporting.markdown import markdown
from groundswell.reporting.page import page
from groundswell.reporting.pdf import chromium, pdf
from groundswell.reporting.slides import slides
from groundswell.reporting.written import written
from groundswell.settings import Settings

log = logging.getLogger(__name__)


def report(topic: str, *, settings: Settings, now: datetime, is_pdf: bool = False) -> dict:
    """Write the report of ``topic`` as things are at ``now``; its own report says which files, and what is missing in them.

    `RegistryError` when MLflow can't be asked, `UsageError` for ``is_pdf`` where no Chromium is installed.
    """
    program = chromium() if is_pdf else None
    facts = gather(topic, settings=settings)
    whole = written(facts, now=now)
    files = _write(whole, settings.report("report", topic), program)
    missing = [block.what for block in whole.blocks(blocks.Missing)]
    found = {
        "stage": "report",
        "topic": topic,
        "model_version": facts.subject.version if facts.subject else None,
        "is_champion": facts.is_champion,
        "run_id": facts.subject.run_id if facts.subject else None,
        "dataset_md5": facts.dataset_md5,
        "sections": [section.name for section in whole.sections],
        "tables": len(whole.blocks(blocks.Table)),
        "pictures": [picture.name for picture in whole.blocks(blocks.Picture)],
        "missing": missing,
        "files": [path.relative_to(settings.root).as_posix() for path in files],
    }
    _log(settings, facts, files, settings.report("report", topic).with_suffix(""))
    write_json(found, settings.report("report", topic))
    log.info("report %s: %d files, %d things missing", topic, len(files), len(missing))
    return found


def _write(whole: blocks.Report, path: Path, program: str | None) -> list[Path]:
    """The files of all renderings, the pictures first: what points to them is never without them."""
    pictures, folder = whole.blocks(blocks.Picture), path.with_suffix("")
    with replacing_folder(folder) as beside:
        for picture in pictures:
            (beside / picture.name).write_bytes(picture.data)
    texts = {
        path.with_suffix(".md"): markdown(whole, folder.name),
        path.with_suffix(".html"): page(whole),
        path.with_name(f"{folder.name}-slides.html"): slides(whole),
    }
    for file, text in texts.items():
        with replacing(file) as beside:
            beside.write_text(text, encoding="utf-8")
    printed = [pdf(file, program) for file in texts if file.suffix == ".html"] if program else []
    return [*texts, *printed]


def _log(settings: Settings, facts: Facts, files: list[Path], pictures: Path) -> None:
    """The files onto the run that the report is about, laid out as they lie here."""
    if facts.subject is None:
        return
    for file in files:
        tracking.log_file(settings, facts.subject.run_id, file, "report")
    tracking.log_files(settings, facts.subject.run_id, pictures, f"report/{pictures.name}")
