"""A template that writes today's date writes that of training, whoever runs it."""

import pytest

from foundry.encode.clock import with_one_date
from foundry.encode.mask_report import MaskReport
from foundry.encode.render import render
from foundry.encode.tokenize import encoder_of
from tests.encoders import conversation
from tests.own_templates import SMOLLM_3
from tests.templates import stock_template
from tests.tiny import tiny_tokenizer

TURNS = conversation("多少錢？")
CLOCK = "{{% if strftime_now {} %}}{{{{ strftime_now('%Y') }}}}{{% else %}}never{{% endif %}}"
DATE = (
    "{{% if date_string {} %}}{{% set date_string = '1 May' %}}{{% endif %}}{{{{ date_string }}}}"
)
ASKING = {
    "gptoss": stock_template("gptoss"),
    "llama3_1": stock_template("llama3_1"),
    "llama3_2": stock_template("llama3_2"),
    "smollm3": SMOLLM_3,
    **{f"clock {asks}": CLOCK.format(asks) for asks in ("is defined", "is not undefined")},
    **{f"date {asks}": DATE.format(asks) for asks in ("is not defined", "is undefined")},
}


def test_template_that_asks_for_no_date_is_left_as_it_is():
    for name in ("llama3", "gemma3", "gemma4_v5", "qwen3", "phi3"):
        assert with_one_date(stock_template(name)) == stock_template(name)


@pytest.mark.parametrize("name", ASKING)
def test_date_is_the_one_that_our_renderer_tells(name: str):
    plain = render(TURNS, ASKING[name], bos_token="<s>")

    assert render(TURNS, with_one_date(ASKING[name]), bos_token="<s>") == plain


@pytest.mark.parametrize("name", ASKING)
def test_runtime_with_a_clock_is_not_asked(name: str):
    tokenizer = tiny_tokenizer("llama")
    encoder = encoder_of(tokenizer, ASKING[name])
    tokenizer.chat_template = encoder.template
    messages = [turn.as_dict() for turn in TURNS]

    # transformers hands in a clock; llama.cpp a clock and a `date_string`.
    text = tokenizer.apply_chat_template(messages, tokenize=False, date_string="25 Nov 2026")

    assert text == encoder.render(TURNS)
    assert "2026" not in text.replace("2026-01-01", "").replace("01 January 2026", "")


@pytest.mark.parametrize("name", ASKING)
def test_report_states_a_date_if_the_template_is_told_one(name: str):
    report = MaskReport(encoder_of(tiny_tokenizer("llama"), ASKING[name]))

    told = report.as_dict()["template"]["date"]

    assert told == ("2026-01-01" if name in ("gptoss", "smollm3") else None)
