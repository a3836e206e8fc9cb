"""Ten conversations that every family's template is given, with what each is to show."""

from foundry.core.records import Example, ToolCall, Turn
from tests.encoders import conversation

CALL = ToolCall("lookup", {"city": "臺北", "days": 2}, "call12345")
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "lookup",
            "description": "查天氣",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "城市"},
                    "days": {"type": "integer", "description": "天數"},
                },
                "required": ["city"],
            },
        },
    },
)
LONG = [text for n in range(1, 7) for text in (f"第 {n} 題？", f"答案是 {n}。")]

TALKS = {
    "single": conversation("How much is the fan?", "300 dollars."),
    "system": conversation("How much is it?", "300 dollars.", system="You sell fans."),
    "multi-turn": conversation("多少錢？", "三百元。", "Is it white?", "Yes,\nand black."),
    "multi-turn with system": conversation(
        "多少錢？", "三百元。", "白色嗎？", "是白色。", system="你是店員。"
    ),
    "tools": (
        Turn("user", "天氣？"),
        Turn("assistant", "", tool_calls=(CALL,)),
        Turn("tool", '{"sky": "晴"}', name="lookup", call_id="call12345"),
        Turn("assistant", "晴天。"),
    ),
    "thinking": (
        Turn("user", "1+1?"),
        Turn("assistant", "2", reasoning="one and one"),
        Turn("user", "2+2?"),
        Turn("assistant", "4", reasoning="two and two"),
    ),
    "empty system": (Turn("system", ""), *conversation("多少錢？", "三百元。")),
    "emoji": conversation("可以刷卡嗎👍🏽？", "可以👨‍👩‍👧‍👦！"),
    "zh-TW": conversation("請問電風扇保固多久？", "保固一年，電池除外；請保留「發票」。"),
    "long": conversation(*LONG),
}


def talk(name: str) -> Example:
    """One of them as a row; only the one about tools is given any."""
    tools = TOOLS if name == "tools" else ()
    return Example(name, TALKS[name], "talks", 1, name, tools=tools)
