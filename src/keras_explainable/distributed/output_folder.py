"""A folder of Parquet files that a run of any length fills, however often it dies.

Each batch becomes a file that appears under its name only when it is complete. What a
run finds in the folder, it does not compute again.
"""

import hashlib
import json
import posixpath
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainable.common.optional_packages import require
from keras_explainable.distributed.result_columns import FAILURE

_MANIFEST = "manifest.json"
_PART = ".part"


@dataclass(frozen=True)
class OutputFolder:
    """The folder, which every process can open.

    Attributes:
        path: Local path, or URI of a file system that PyArrow knows.
        id_column: Name of the column of ids.
        run: Begins the names of the files of one run.
    """

    path: str
    id_column: str
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def maps(self) -> str:
        """The folder of the Parquet files."""
        return posixpath.join(self.path, "maps")

    def renamed(self) -> "OutputFolder":
        """Return the same folder with another name for the run."""
        return replace(self, run=secrets.token_hex(4))

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Claim the folder for runs of one identity, on which its results depend.

        Raises:
            ValueError: If the folder holds anything else.
        """
        files, root = self._opened
        now = json.loads(json.dumps(identity))
        before = self._read_manifest()
        if before is None and _names(files, root):
            raise ValueError(
                "`output` must be an empty folder, or one of the same run; received "
                f"{self.path!r} with other files."
            )
        changed = [name for name in now if (before or now).get(name) != now[name]]
        if changed:
            raise ValueError(
                "`output` must be an empty folder, or one of the same run; received "
                f"{self.path!r} of a run with another {', another '.join(changed)}."
            )
        files.create_dir(posixpath.join(root, "maps"), recursive=True)
        self._write_manifest({**now, "complete": False})

    def done(self) -> dict[str, list[Any]]:
        """Return the ids in each file, and remove files that are damaged."""
        files, root = self._opened
        found = {}
        for name in _names(files, posixpath.join(root, "maps")):
            try:
                found[name] = self._ids(name)
            except Exception:  # Damaged by a full disk, or not complete.
                files.delete_file(posixpath.join(root, "maps", name))
        return found

    def store(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Write the rows of images that could be explained.

        Returns:
            Ids and failures of all rows.
        """
        done = np.array([not reason for reason in columns[FAILURE]])
        if done.any():
            kept = {name: column for name, column in columns.items() if name != FAILURE}
            self._write({name: np.asarray(each)[done] for name, each in kept.items()})
        return {name: columns[name] for name in (self.id_column, FAILURE)}

    def _write(self, columns: Mapping[str, np.ndarray]) -> None:
        """Write a file with these columns.

        A batch that Ray repeats, as its process died, replaces its own file.
        """
        parquet = require("pyarrow.parquet", "ray")
        files, root = self._opened
        ids = repr(columns[self.id_column].tolist()).encode()
        name = f"{self.run}-{hashlib.sha256(ids).hexdigest()[:24]}.parquet"
        path = posixpath.join(root, "maps", name)
        part = f"{path}.{secrets.token_hex(4)}{_PART}"
        # A dictionary of floats, of which hardly two are the same, would add to them.
        parquet.write_table(
            _table(columns), part, filesystem=files, use_dictionary=False
        )
        files.move(part, path)

    def finish(self, before: Mapping[str, Any], failures: list[dict[str, Any]]) -> int:
        """Write the manifest and return the number of images in the folder.

        Files of neither this run nor the ones ``before`` it are of a process that
        outlived its run by a moment: this run has computed the same.

        Raises:
            ValueError: If an id is there twice.
        """
        files, root = self._opened
        found = self.done()
        for name in [*found]:
            if name not in before and not name.startswith(self.run):
                del found[name]
                files.delete_file(posixpath.join(root, "maps", name))
        ids = [value for values in found.values() for value in values]
        check_different(ids)
        facts = {"complete": True, "images": len(ids), "failures": failures}
        self._write_manifest({**(self._read_manifest() or {}), **facts})
        return len(ids)

    def dataset(self) -> Any:
        """Return the data set of all files.

        Tasks read them, which Ray repeats elsewhere if a machine dies. Its own reader
        of Parquet starts an actor, which is lost then.
        """
        files, root = self._opened
        folder = posixpath.join(root, "maps")

        def read(batch: dict[str, np.ndarray]) -> Any:
            (name,) = batch["item"]
            return parquet.read_table(posixpath.join(folder, name), filesystem=files)

        parquet = require("pyarrow.parquet", "ray")
        names = require("ray.data", "ray").from_items(_names(files, folder))
        return names.map_batches(read, batch_size=1, batch_format="numpy")

    @property
    def _opened(self) -> tuple[Any, str]:
        system = require("pyarrow.fs", "ray").FileSystem
        uri = self.path if "://" in self.path else Path(self.path).absolute().as_uri()
        files, root = system.from_uri(uri)
        return files, root

    def _ids(self, name: str) -> list[Any]:
        if name.endswith(_PART):
            raise ValueError(f"{name} is not complete.")
        files, root = self._opened
        path = posixpath.join(root, "maps", name)
        read = require("pyarrow.parquet", "ray").read_table
        table = read(path, columns=[self.id_column], filesystem=files)
        return list(table[self.id_column].to_pylist())

    def _read_manifest(self) -> dict[str, Any] | None:
        files, root = self._opened
        try:
            with files.open_input_stream(posixpath.join(root, _MANIFEST)) as file:
                return dict(json.loads(file.read()))
        except (FileNotFoundError, ValueError):
            return None

    def _write_manifest(self, facts: Mapping[str, Any]) -> None:
        files, root = self._opened
        files.create_dir(root, recursive=True)
        path = posixpath.join(root, _MANIFEST)
        with files.open_output_stream(path + _PART) as file:
            file.write(json.dumps(facts, indent=2).encode())
        files.move(path + _PART, path)


def check_different(ids: Sequence[Any]) -> None:
    """Raise ValueError if an id is there twice."""
    seen: set[Any] = set()
    for value in ids:
        if value in seen:
            raise ValueError(
                "`id_column` must hold a different id for each image; received "
                f"{value!r} more than once."
            )
        seen.add(value)


def _names(files: Any, folder: str) -> list[str]:
    """Return the names in a folder, which may not exist."""
    selector = require("pyarrow.fs", "ray").FileSelector
    found = files.get_file_info(selector(folder, allow_not_found=True))
    return sorted(each.base_name for each in found)


def _table(columns: Mapping[str, np.ndarray]) -> Any:
    arrow = require("pyarrow", "ray")
    tensors = require("ray.data.extensions", "ray").ArrowTensorArray
    return arrow.table(
        {
            name: tensors.from_numpy(column)
            if column.ndim > 1 or _is_ragged(column)
            else arrow.array(column)
            for name, column in columns.items()
        }
    )


def _is_ragged(column: np.ndarray) -> bool:
    return column.dtype == object and isinstance(column[0], np.ndarray)
