import pytest

from keras_explainable.cli import read_images


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "sub/c.webp"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "pictures" / ".cache").mkdir()
    (tmp_path / "pictures" / ".cache" / "d.png").touch()
    return tmp_path / "pictures"


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folders_are_searched_recursively_and_sorted(folder, tmp_path):
    found = read_images.find([folder], skip=tmp_path / "out")
    assert names(found, folder) == ["a.JPG", "b.png", "sub/c.webp"]


def test_files_are_listed_in_order_without_duplicates(folder, tmp_path):
    named = [folder / "notes.txt", folder / "b.png", folder]
    found = read_images.find(named, skip=tmp_path / "out")
    assert names(found, folder) == ["notes.txt", "b.png", "a.JPG", "sub/c.webp"]


def test_results_of_earlier_runs_are_skipped(folder):
    found = read_images.find([folder], skip=folder / "sub")
    assert names(found, folder) == ["a.JPG", "b.png"]


@pytest.mark.parametrize("named", ["sub", "sub/c.webp"])
def test_the_output_folder_cannot_be_explained(folder, named):
    with pytest.raises(ValueError, match="in the output folder"):
        read_images.find([folder / named], skip=folder / "sub")


def test_missing_paths_and_empty_folders(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"folder without images \(.bmp, .gif"):
        read_images.find([folder, tmp_path / "empty"], skip=tmp_path / "out")
    with pytest.raises(ValueError, match=r"nothing\.png does not exist"):
        read_images.find([tmp_path / "nothing.png"], skip=tmp_path / "out")
