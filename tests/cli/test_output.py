"""Tables line up, also with Chinese in them."""

from foundry.cli.output import note, print_json, print_table


def test_columns_line_up_by_their_width_on_screen(capsys):
    print_table(["a", "b"], [["店", "1"], ["abc", "2"]])

    assert capsys.readouterr().out == "a    b\n店   1\nabc  2\n"


def test_note_goes_to_stderr(capsys):
    note("hello")

    assert tuple(capsys.readouterr()) == ("", "hello\n")


def test_json_keeps_chinese(capsys):
    print_json({"a": "店"})

    assert capsys.readouterr().out == '{\n  "a": "店"\n}\n'
