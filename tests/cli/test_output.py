"""Tables line up, also with Chinese in them; what is printed steers no terminal."""

from foundry.cli import output
from foundry.cli.output import note, print_json, print_table
from foundry.core.errors import Problem, ProofError
from tests.cases import case, change


def test_columns_line_up_by_their_width_on_screen(capsys):
    print_table(["a", "b"], [["店", "1"], ["abc", "2"]])

    assert capsys.readouterr().out == "a    b\n店   1\nabc  2\n"


def test_note_goes_to_stderr(capsys):
    note("hello")

    assert tuple(capsys.readouterr()) == ("", "hello\n")


@case("C77", {"as it is": change(output, "visible", lambda text: text)})
def test_name_of_a_strangers_file_does_not_steer_the_terminal(capsys):
    problem = Problem("a\x1b[2K\rb\nq: all is well", "is not listed")

    output.print_error(ProofError(problem), as_json=False)

    assert capsys.readouterr().err == "a\\u001b[2K\\u000db⏎q: all is well: is not listed\n"


def test_json_keeps_chinese(capsys):
    print_json({"a": "店"})

    assert capsys.readouterr().out == '{\n  "a": "店"\n}\n'
