"""Copy the page's libraries from npm into `web/static/vendor`, with their licences and a list of hashes.

`python tools/vendor_web.py` installs exactly what `tools/web/package-lock.json` locks (npm checks every integrity
hash and runs no script of any package) into a temporary folder and copies the few files the page loads. The copies
are committed: running Genesis needs no node. `python tools/vendor_web.py --check` only compares them with the list.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "tools" / "web"
VENDOR = ROOT / "web" / "static" / "vendor"
CHECKER = ROOT / "tests" / "web" / "vendor"
HASHES = "SHA256SUMS"

FILES = {
    "htm/preact/standalone.module.js": "preact-htm.js",
    "lightweight-charts/dist/lightweight-charts.standalone.production.mjs": "lightweight-charts.js",
    "uplot/dist/uPlot.esm.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "htm/LICENSE": "LICENSE-htm",
    "preact/LICENSE": "LICENSE-preact",
    "lightweight-charts/LICENSE": "LICENSE-lightweight-charts",
    "uplot/LICENSE": "LICENSE-uplot",
}
"""From a path under node_modules to its name here. htm's file holds preact (MIT), the charts fancy-canvas (MIT)."""


CHECKER_FILES = {"axe-core/axe.min.js": "axe.js", "axe-core/LICENSE": "LICENSE-axe-core"}
"""What the tests ask whether everybody can use the page; no page loads it."""


def sums(folder: Path = VENDOR) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.name != HASHES)
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


def chart_style_hash() -> str:
    """The content policy's hash of the one style element that lightweight-charts puts into the page."""
    text = (VENDOR / "lightweight-charts.js").read_text()
    found = re.search(r'createElement\("style"\),this\.\w+\.innerText="([^"]*)"', text)
    if found is None:
        raise SystemExit("lightweight-charts must put one style element into the page, none was found")
    return "'sha256-" + base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode() + "'"


def vendor() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCK / name, folder)
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm must be installed to vendor the page's libraries")
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        for target, files in ((VENDOR, FILES), (CHECKER, CHECKER_FILES)):
            _copy(Path(folder, "node_modules"), files, target)


def _copy(packages: Path, files: dict[str, str], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for source, name in files.items():
        path = packages / source
        if path.exists():
            shutil.copy(path, target / name)
        elif name.startswith("LICENSE"):
            print(f"{source}: the package ships no licence file")
        else:
            raise SystemExit(f"{source} must be in the packages, was not")
    (target / HASHES).write_text(sums(target))


def main() -> int:
    if "--check" not in sys.argv:
        vendor()
    for folder in (VENDOR, CHECKER):
        if sums(folder) != (folder / HASHES).read_text():
            print(f"{folder} differs from its list of hashes", file=sys.stderr)
            return 1
    print(f"chart style: {chart_style_hash()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
