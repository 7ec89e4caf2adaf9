"""Fixtures that tests of several rooms share."""

import pytest


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    """A function that stores bytes in a file, and returns its path."""

    def store(content):
        path = tmp_path / "some.file"
        path.write_bytes(content)
        return path

    return store
