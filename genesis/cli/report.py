"""`genesis report`: a page of what a backtest or a search left in reports/, a picture of it, or the proof of it."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Where
from genesis.cli.progress import Bar
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode


def report(
    name: Annotated[str | None, Parameter(help="The result's name in reports/; without it they are listed.")] = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Where to write the page; beside the result when not given.")] = None,
    png: Annotated[Path | None, Parameter(help="Write a picture of equity and drawdown there instead.")] = None,
    again: Annotated[
        bool, Parameter(negative="", help="Run it again, and say whether the bytes are the same (exit code 1 if not).")
    ] = False,
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs.")] = False,
    where: Where | None = None,
) -> int:
    """Make a page that opens offline and prints: equity, drawdown, months, heatmaps, trades, costs, refusals."""
    user_dir = (where or Where()).user_dir
    if name is None:
        return _list(user_dir, json)
    from genesis.research.runs import RESULT
    from genesis.searches import STUDY, WALKFORWARD

    if "/" in name or name.startswith("."):
        raise CommandFailed(f"the name must be one without slashes, was {name}", ExitCode.CONFIGURATION)
    folder = user_dir.reports / name
    if (folder / STUDY).is_file() and not (folder / RESULT).is_file():
        return _study(folder, out, json)
    if (folder / WALKFORWARD).is_file() and not (folder / RESULT).is_file():
        return _walk(folder, out, json)
    from genesis.research.html_report import html_of, png_of
    from genesis.research.runs import read_result

    try:
        data = (folder / RESULT).read_bytes()
    except OSError:
        made = (path for kind in (RESULT, STUDY, WALKFORWARD) for path in user_dir.reports.glob(f"*/{kind}"))
        known = ", ".join(sorted({path.parent.name for path in made})) or "none yet"
        raise CommandFailed(
            f"{name} must be a result in {user_dir.reports} ({known}), was not", ExitCode.NOT_FOUND
        ) from None
    try:
        result = read_result(data)
    except ValueError as error:
        raise CommandFailed(f"{folder / RESULT}: {error}") from None
    if again:
        return _again(user_dir, name, data, json)
    try:
        if png is not None:
            png_of(result, png)
            path = png
        else:
            path = out if out is not None else folder / "report.html"
            path.write_text(html_of(result), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{path if isinstance(error, OSError) else ''} {error}".strip()) from None
    return _told(path, json)


def _told(path: Path, json: bool) -> int:
    if json:
        printing.print_json({"path": str(path), "bytes": path.stat().st_size})
    else:
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")
    return ExitCode.OK


def _list(user_dir: UserDir, json: bool) -> int:
    from genesis.edge.jobs import JobFolders
    from protocols.jobs import JobView

    views: list[JobView] = []
    for data in JobFolders(user_dir.reports).views(1000):
        try:
            views.append(msgspec.json.decode(data, type=JobView))
        except msgspec.MsgspecError:
            continue
    if json:
        printing.print_json(msgspec.to_builtins(views))
        return ExitCode.OK
    printing.table(
        "results",
        ("name", "kind", "state", "made", "title", "return", "trades"),
        (
            (
                view.job_id,
                view.kind,
                view.state.value,
                printing.when(view.ended_ms or view.created_ms),
                view.title,
                "" if view.summary.get("total_return") is None else f"{view.summary['total_return']:+.2%}",
                view.summary.get("trades", ""),
            )
            for view in views
        ),
        right=("return", "trades"),
    )
    return ExitCode.OK


def _again(user_dir: UserDir, name: str, kept: bytes, json: bool) -> int:
    from genesis.cli.research import run_request
    from genesis.domain.recording import RecordingError
    from genesis.research.runs import encode_result, read_result, result_of, stamp_code

    before = read_result(kept)
    try:
        with Bar("again", hidden=json) as bar:
            market, made = run_request(before.request, user_dir, bar.update)
    except (ValueError, RecordingError) as error:
        raise CommandFailed(str(error)) from None
    after = result_of(before.request, market, made)
    same = encode_result(after) == kept
    answer: dict[str, Any] = {
        "name": name,
        "same_bytes": same,
        "same_fills": after.digest == before.digest,
        "same_data": after.data == before.data,
        "same_code": stamp_code() == before.code,
    }
    if json:
        printing.print_json(answer)
    elif same:
        print(f"{name}: run again, the same to the byte")
    else:
        differ = [part for part in ("fills", "data", "code") if not answer[f"same_{part}"]]
        print(f"{name}: run again, other bytes; {', '.join(differ) or 'figures'} differ")
    return ExitCode.OK if same else ExitCode.ERROR


def _study(folder: Path, out: Path | None, json: bool) -> int:
    from genesis.cli.main import version
    from genesis.research.html_report import study_html
    from genesis.research.search import StudyReport
    from genesis.searches import STUDY

    try:
        whole = msgspec.json.decode((folder / STUDY).read_bytes())
        found = msgspec.convert(whole["report"], StudyReport)
        market = str(whole["request"]["market"])
    except (OSError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise CommandFailed(f"{folder / STUDY} must be a search's report, was not: {error}") from None
    path = out if out is not None else folder / "report.html"
    try:
        path.write_text(study_html(folder.name, market, found, version()), encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{path} must be writable, was not: {error.strerror}") from None
    return _told(path, json)


def _walk(folder: Path, out: Path | None, json: bool) -> int:
    from genesis.cli.main import version
    from genesis.research.html_report import walk_html
    from genesis.searches import WALKFORWARD

    try:
        whole = msgspec.json.decode((folder / WALKFORWARD).read_bytes())
        page = walk_html(folder.name, str(whole["request"]["market"]), whole["steps"], whole["summary"], version())
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CommandFailed(f"{folder / WALKFORWARD} must be a walk-forward, was not: {error}") from None
    path = out if out is not None else folder / "report.html"
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{path} must be writable, was not: {error.strerror}") from None
    return _told(path, json)
