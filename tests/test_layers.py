"""The shape of the source: import order, light modules, no dynamic import, no dangerous call.

Every rule is a function from a file's path and syntax tree to what is wrong, and is shown to fail
on a small bad text (`BAD`) before it is believed on the product.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = sorted((REPOSITORY / "foundry").rglob("*.py"))

# ARCHITECTURE.md §1: import only leftwards.
ORDER = [
    *("core", "policy", "store", "data", "governance", "models", "encode", "runtime", "train"),
    *("evals", "delivery", "planning", "serve", "stages", "pipeline", "studies", "cli"),
]
LIGHT_ROOMS = {"core", "policy", "store", "planning", "cli"}
PLUGIN_FOLDERS = {
    *("sources", "formats", "recognisers", "families", "adapters"),
    *("trainers", "rewards", "evaluators", "benchmarks", "exporters"),
}
HEAVY = {
    *("torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes"),
    *("gguf", "numpy", "scipy", "pyarrow", "pandas", "polars", "jinja2", "xllamacpp"),
    *("huggingface_hub", "safetensors", "tokenizers", "opencc", "sacrebleu"),
}
DYNAMIC = {
    *("importlib.import_module", "importlib.util.spec_from_file_location", "runpy"),
    *("importlib.machinery", "imp", "pkgutil.resolve_name"),
}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_NAMES = {
    *("os.system", "os.popen", "torch.load", "tempfile.mktemp", "subprocess.getoutput"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all"),
}
NETWORK = {
    *("socket", "ssl", "urllib.request", "http.client", "requests", "httpx", "httpx2", "aiohttp"),
    *("urllib3", "ftplib", "smtplib", "telnetlib", "websockets"),
    *("huggingface_hub.HfApi", "huggingface_hub.hf_hub_download"),
    *("huggingface_hub.file_download.http_get", "huggingface_hub.snapshot_download"),
}
# Three files fetch models; one talks to the llama.cpp server it started, on loopback; one to the
# judge that a recipe names.
NETWORK_ALLOWED = {
    "foundry/evals/endpoint.py": {"httpx2"},
    "foundry/models/access.py": {"httpx2"},
    "foundry/models/download.py": {"huggingface_hub.HfApi"},
    "foundry/models/receive.py": {"huggingface_hub.file_download.http_get"},
    "foundry/runtime/llamacpp.py": {"http.client", "socket"},
}
DYNAMIC_ALLOWED = {"foundry/core/plugins.py"}

Rule = Callable[[str, ast.Module], Iterator[str]]


def room(path: str) -> str:
    """The room of a file: its folder below `foundry`, or its own name for `pipeline.py`."""
    first = Path(path).with_suffix("").parts[1]
    return {"__main__": "cli", "__init__": "core"}.get(first, first)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "." * node.level
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_in(name: str, roots: set[str]) -> bool:
    """Whether `name` is one of `roots` or lies inside one."""
    return any(name == root or name.startswith(root + ".") for root in roots)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; empty for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def at_import_time(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported; `if TYPE_CHECKING:` does not."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING"):
            yield from at_import_time(node.orelse)
            continue
        yield node
        inner = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]
        handlers = [s for n in ast.iter_child_nodes(node) for s in handler_body(n)]
        yield from at_import_time(inner + handlers)


def handler_body(node: ast.AST) -> list[ast.stmt]:
    """The statements of an `except` block or a `case`."""
    return node.body if isinstance(node, ast.ExceptHandler | ast.match_case) else []


def imports_leftwards(path: str, tree: ast.Module) -> Iterator[str]:
    """A room imports only itself and rooms to its left."""
    if room(path) not in ORDER:
        yield f"{path}: `{room(path)}` is no room of ARCHITECTURE.md §1"
        return
    for line, name in imports(tree):
        parts = name.split(".")
        if name.startswith("."):
            yield f"{path}:{line}: relative import"
        elif parts[0] == "foundry" and len(parts) > 1:
            other = parts[1]
            if other not in ORDER or ORDER.index(other) > ORDER.index(room(path)):
                yield f"{path}:{line}: {room(path)} imports {name}"


def imports_light(path: str, tree: ast.Module) -> Iterator[str]:
    """Light rooms and plug-in files load nothing heavy when they are imported."""
    if room(path) not in LIGHT_ROOMS and not PLUGIN_FOLDERS & set(Path(path).parts):
        return
    for node in at_import_time(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for line, name in imports(node):
                if is_in(name, HEAVY):
                    yield f"{path}:{line}: heavy import {name} at module level"


def imports_static(path: str, tree: ast.Module) -> Iterator[str]:
    """A module is found by its name in the source, except in `core/plugins.py`."""
    if path in DYNAMIC_ALLOWED:
        return
    for line, name in imports(tree):
        if is_in(name, DYNAMIC):
            yield f"{path}:{line}: dynamic import through {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            dotted(node.func) == "__import__" or is_in(dotted(node.func), DYNAMIC)
        ):
            yield f"{path}:{node.lineno}: dynamic import through {dotted(node.func)}"


def calls_safely(path: str, tree: ast.Module) -> Iterator[str]:
    """Nothing that runs text as code, reads a pickle, or hands a command to a shell."""
    for line, name in imports(tree):
        if is_in(name, UNSAFE_MODULES | UNSAFE_NAMES):
            yield f"{path}:{line}: {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_in(dotted(node), UNSAFE_NAMES):
            yield f"{path}:{node.lineno}: {dotted(node)}"
        if isinstance(node, ast.Call):
            if dotted(node.func) in {"eval", "exec", "compile"}:
                yield f"{path}:{node.lineno}: {dotted(node.func)}()"
            for keyword in node.keywords:
                if keyword.arg in {"shell", "trust_remote_code"} and not is_false(keyword.value):
                    yield f"{path}:{node.lineno}: {keyword.arg}={ast.unparse(keyword.value)}"


def is_false(node: ast.expr) -> bool:
    """Whether an expression is written `False`; a variable might be true."""
    return isinstance(node, ast.Constant) and node.value is False


def stays_offline(path: str, tree: ast.Module) -> Iterator[str]:
    """Only the files named in `NETWORK_ALLOWED` may open a connection."""
    banned = NETWORK - NETWORK_ALLOWED.get(path, set())
    for line, name in imports(tree):
        if is_in(name, banned):
            yield f"{path}:{line}: {name} reaches the network"


def init_is_empty(path: str, tree: ast.Module) -> Iterator[str]:
    """An `__init__.py` holds nothing, so that importing a module imports only that."""
    if Path(path).name == "__init__.py" and tree.body:
        yield f"{path}: not empty"


RULES: tuple[Rule, ...] = (
    imports_leftwards,
    imports_light,
    imports_static,
    calls_safely,
    stays_offline,
    init_is_empty,
)

CORE, TRAIN, LORA = "foundry/core/a.py", "foundry/train/a.py", "foundry/train/adapters/lora.py"
BAD: list[tuple[Rule, str, str]] = [
    (imports_leftwards, CORE, "from foundry.train import sft"),
    (imports_leftwards, CORE, "def f():\n    import foundry.data.rows"),
    (imports_leftwards, "foundry/data/a.py", "from foundry import pipeline"),
    (imports_leftwards, "foundry/pipeline.py", "from foundry.cli import main"),
    (imports_leftwards, TRAIN, "from . import proof"),
    (imports_leftwards, "foundry/helpers/a.py", "x = 1"),
    (imports_light, CORE, "import torch"),
    (imports_light, LORA, "from peft import LoraConfig"),
    (imports_light, "foundry/cli/a.py", "try:\n    import torch.nn as nn\nexcept ImportError: ..."),
    (imports_light, CORE, "try:\n    x = 1\nexcept ImportError:\n    import scipy"),
    (imports_light, CORE, "class A:\n    import gguf"),
    (imports_static, TRAIN, "from importlib import import_module"),
    (imports_static, TRAIN, "import importlib\nimportlib.import_module('a')"),
    (imports_static, TRAIN, "__import__('a')"),
    (calls_safely, TRAIN, "subprocess.run('ls', shell=True)"),
    (calls_safely, TRAIN, "subprocess.run('ls', shell=flag)"),
    (calls_safely, TRAIN, "os.system('ls')"),
    (calls_safely, TRAIN, "from os import system"),
    (calls_safely, TRAIN, "eval('1')"),
    (calls_safely, TRAIN, "exec('1')"),
    (calls_safely, TRAIN, "import pickle"),
    (calls_safely, TRAIN, "torch.load(path)"),
    (calls_safely, TRAIN, "read = torch.load"),
    (calls_safely, TRAIN, "yaml.load(text, Loader=yaml.SafeLoader)"),
    (calls_safely, TRAIN, "A.from_pretrained(x, trust_remote_code=True)"),
    (calls_safely, TRAIN, "tempfile.mktemp()"),
    (stays_offline, TRAIN, "from urllib.request import urlopen"),
    (stays_offline, TRAIN, "import requests"),
    (stays_offline, TRAIN, "def f():\n    import http.client"),
    (stays_offline, "foundry/runtime/llamacpp.py", "import urllib.request"),
    (init_is_empty, "foundry/core/__init__.py", "from foundry.core import errors"),
]
GOOD: list[tuple[Rule, str, str]] = [
    (imports_leftwards, "foundry/cli/a.py", "from foundry import pipeline"),
    (imports_leftwards, TRAIN, "from foundry.core import atomic"),
    (imports_light, LORA, "def attach(model, spec):\n    import peft"),
    (imports_light, LORA, "if TYPE_CHECKING:\n    import torch"),
    (imports_light, TRAIN, "import torch"),
    (imports_static, TRAIN, "from importlib import metadata, util"),
    (calls_safely, TRAIN, "model.eval()"),
    (calls_safely, TRAIN, "yaml.safe_load(text)"),
    (calls_safely, TRAIN, "A.from_pretrained(x, trust_remote_code=False)"),
    (stays_offline, "foundry/runtime/llamacpp.py", "import http.client"),
]


def identity(value: object) -> str | None:
    return value.__name__ if callable(value) else None


@pytest.fixture(scope="module")
def product() -> dict[str, ast.Module]:
    """Every file of the product, parsed once for all rules."""
    return {
        path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in FILES
    }


@pytest.mark.parametrize("rule", RULES, ids=identity)
def test_product_keeps_the_rule(rule: Rule, product: dict[str, ast.Module]):
    found = [problem for path, tree in product.items() for problem in rule(path, tree)]

    assert found == []


@pytest.mark.parametrize(("rule", "path", "source"), BAD, ids=identity)
def test_rule_finds_a_bad_text(rule: Rule, path: str, source: str):
    assert list(rule(path, ast.parse(source)))


@pytest.mark.parametrize(("rule", "path", "source"), GOOD, ids=identity)
def test_rule_lets_a_good_text_pass(rule: Rule, path: str, source: str):
    assert list(rule(path, ast.parse(source))) == []


def test_every_rule_is_shown_to_fail():
    assert {rule for rule, _, _ in BAD} == set(RULES)


def test_the_product_was_found():
    assert len(FILES) > 50
