"""Benchmark `twinkle-written`: the questions of `twinkle`, of which the model writes the answer.

    question,A,B,C,D,answer
    臺灣最高的山是哪一座？,玉山,雪山,合歡山,大霸尖山,A

The prompts are those of `twinkle`. How often one option can be read from what was written stands
beside the score as the parse rate: a model that talks past the question is no worse at facts.
"""

from foundry.evals.benchmarks import twinkle

version = 1
TITLE = {"en": "Multiple choice, written (Twinkle)", "zh-TW": "選擇題，由模型作答（Twinkle）"}
FILES = twinkle.FILES
METHOD = "generate"
SHOTS = twinkle.SHOTS
MAX_NEW_TOKENS = 64  # a letter with a sentence around it
STOP = ("\n",)
EVALS = twinkle.EVALS
LABELS = twinkle.LABELS
read = twinkle.read
instruction = twinkle.instruction
