"""The command line, called as a person does."""

import pytest

from foundry.cli.main import main


@pytest.fixture
def told(capsys):
    """Run a command line; its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
