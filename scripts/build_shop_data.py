"""Builds the four data files of the shop customer-service recipe from the owner's own tables.

Reads products, policies, wordings, answers and declines (CSV) from one folder, writes `train.csv`,
`closed-book.csv`, `open-book.csv` and `out-of-scope.csv`, and refuses to write any of them while
a check fails. Same tables in, same bytes out. Example:

    python scripts/build_shop_data.py --out /tmp/shop
"""

import argparse
import csv
import os
import random
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

RECIPE_DIR = Path(__file__).resolve().parents[1] / "recipes" / "retail" / "customer-service"
FACT_FIELDS = ("售價", "保固", "重量", "尺寸", "顏色", "產地", "材質", "配件")
COLUMNS = ("編號", "問題", "回答", "商品資料", "商品", "題型", "應含", "不應含")
TABLES = {
    "products": ("商品", "類別", *FACT_FIELDS, "用途", "熟記欄位"),
    "skeletons": ("欄位", "用途", "問法"),
    "policies": ("主題群", "項目", "值", "回答"),
    "policy_questions": ("項目", "用途", "問法"),
    "answers": ("欄位", "回答"),
    "declines": ("範圍外類別", "用途", "問題"),
}
TRAIN, TEST = USES = ("訓練", "測試")
OUT_OF_SCOPE = "範圍外"
DECLINE_MARK = "不在本店客服的服務範圍"  # what every decline must say
SHUFFLE_SEED = 20261124
MAX_ANSWER_CHARS = 34
MAX_SHEET_CHARS = 110  # the longest authored sheet has 85: 77 tokens of Gemma 3
MINIMUM_ROWS = {"train": 350, "closed-book": 66, "open-book": 66, "out-of-scope": 40}
MINIMUM_DISTINCT = {"題型 skeletons": 150, "回答 answers": 120}

Table = list[dict[str, str]]
Tables = dict[str, Table]


@dataclass(frozen=True)
class Row:
    """One question with its answer, and what a right answer must and must not contain."""

    question: str
    answer: str
    subject: str
    required: str
    forbidden: tuple[str, ...] = ()
    sheet: str = ""


class TableError(Exception):
    """A table is missing, or lacks a column."""


def question_skeleton(question: str, product_names: Iterable[str]) -> str:
    """Mask product names and numbers: 「竹蜻蜓立扇多少錢？」 gives 「〈商品〉多少錢？」."""
    for name in sorted(product_names, key=len, reverse=True):
        question = question.replace(name, "〈商品〉")
    return re.sub(r"\d+(?:[.,]\d+)*", "〈數〉", question)


def normalise(text: str) -> str:
    """Fold width variants and drop spaces and commas, so that 2,480元 equals ２４８０元."""
    return re.sub(r"[\s,]", "", unicodedata.normalize("NFKC", text))


def contains(text: str, value: str) -> bool:
    """Say whether the value stands in the text, both normalised."""
    return normalise(value) in normalise(text)


def read_tables(folder: Path) -> Tables:
    """Read the authored tables; a byte-order mark left by a spreadsheet is dropped.

    Raises:
        TableError: A file is missing or lacks a column; names every such file.
    """
    tables: Tables = {}
    problems = []
    for name, columns in TABLES.items():
        path = folder / f"{name}.csv"
        if not path.is_file():
            problems.append(f"{path}: file not found 找不到檔案\n  fix: restore it 請放回此檔")
            continue
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            tables[name] = list(reader)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            names = "、".join(missing)
            problems.append(f"{path}: no column {names} 缺少欄位\n  fix: add it 請補上 {names}")
    if problems:
        raise TableError("\n".join(problems))
    return tables


def wordings_by_use(table: Table, key: str) -> dict[tuple[str, str], list[str]]:
    """Group wordings by (what they ask, 訓練 or 測試), in table order."""
    wordings: dict[tuple[str, str], list[str]] = {}
    for row in table:
        wordings.setdefault((row[key], row["用途"]), []).append(row["問法"])
    return wordings


def sheet_text(product: dict[str, str]) -> str:
    """Write a product's fact sheet, one labelled line per fact."""
    lines = [f"品名：{product['商品']}"]
    return "\n".join(lines + [f"{field}：{product[field]}" for field in FACT_FIELDS])


def fact_answer(tables: Tables, product: dict[str, str], field: str) -> str:
    """Answer one fact in one sentence; all products of a category share the wording."""
    categories = list(dict.fromkeys(row["類別"] for row in tables["products"]))
    wordings = [row["回答"] for row in tables["answers"] if row["欄位"] == field]
    wording = wordings[categories.index(product["類別"]) % len(wordings)]
    return wording.replace("{商品}", product["商品"]).replace("{值}", product[field])


def fact_row(
    tables: Tables, product: dict[str, str], field: str, wording: str, *, with_sheet: bool
) -> Row:
    """Ask one fact of one product, with its sheet (open book) or without (closed book)."""
    return Row(
        question=wording.replace("{商品}", product["商品"]),
        answer=fact_answer(tables, product, field),
        subject=product["商品"],
        required=product[field],
        forbidden=tuple(product[other] for other in FACT_FIELDS if other != field),
        sheet=sheet_text(product) if with_sheet else "",
    )


def open_book_rows(tables: Tables, use: str) -> Iterator[Row]:
    """Ask 2 facts of each product, which teach the reading, or 5 or 6 in tests, half reworded."""
    wordings = wordings_by_use(tables["skeletons"], "欄位")
    pools = {
        (field, trained): cycle(pool[start % len(pool) :] + pool[: start % len(pool)])
        for start, field in enumerate(FACT_FIELDS)  # or one product is always asked one way
        for trained, pool in ((True, wordings[field, TRAIN]), (False, wordings[field, TEST]))
    }
    products = [product for product in tables["products"] if product["用途"] == use]
    asked = Counter({field: start for start, field in enumerate(FACT_FIELDS)})
    for i, product in enumerate(products):
        for k in range(2 if use == TRAIN else 6 if i % 3 == 0 else 5):
            field = FACT_FIELDS[(5 * i + k) % len(FACT_FIELDS)]
            asked[field] += 1
            wording = next(pools[field, use == TRAIN or asked[field] % 2 == 0])
            yield fact_row(tables, product, field, wording, with_sheet=True)


def policy_rows(tables: Tables, use: str) -> Iterator[Row]:
    """Ask each shop policy in each of its wordings."""
    wordings = wordings_by_use(tables["policy_questions"], "項目")
    for policy in tables["policies"]:
        theme = [row["值"] for row in tables["policies"] if row["主題群"] == policy["主題群"]]
        for question in wordings[policy["項目"], use]:
            yield Row(
                question=question,
                answer=policy["回答"],
                subject=policy["項目"],
                required=policy["值"],
                forbidden=tuple(value for value in theme if value != policy["值"]),
            )


def known_product_rows(tables: Tables, use: str) -> Iterator[Row]:
    """Ask, without a sheet, the one fact the shop wants known by heart (熟記欄位)."""
    wordings = wordings_by_use(tables["skeletons"], "欄位")
    known = [product for product in tables["products"] if product["熟記欄位"]]
    for i, product in enumerate(known):
        field = product["熟記欄位"]
        pool = wordings[field, use]
        times = 2 if use == TRAIN else 1
        for k in range(i * times, (i + 1) * times):
            yield fact_row(tables, product, field, pool[k % len(pool)], with_sheet=False)


def decline_rows(tables: Tables, use: str) -> Iterator[Row]:
    """Pair each out-of-scope question with the shop's one decline sentence."""
    decline = next(row["回答"] for row in tables["answers"] if row["欄位"] == OUT_OF_SCOPE)
    for row in tables["declines"]:
        if row["用途"] == use:
            yield Row(row["問題"], decline, row["範圍外類別"], DECLINE_MARK)


def build(tables: Tables) -> dict[str, list[Row]]:
    """Make the rows of the four files; only the training rows are shuffled."""
    train = [
        *open_book_rows(tables, TRAIN),
        *policy_rows(tables, TRAIN),
        *known_product_rows(tables, TRAIN),
        *decline_rows(tables, TRAIN),
    ]
    random.Random(SHUFFLE_SEED).shuffle(train)
    return {
        "train": train,
        "closed-book": [*policy_rows(tables, TEST), *known_product_rows(tables, TEST)],
        "open-book": list(open_book_rows(tables, TEST)),
        "out-of-scope": list(decline_rows(tables, TEST)),
    }


def overlapping(values: list[str]) -> list[str]:
    """Describe each value that stands inside another one, so an answer could not tell them."""
    return [
        f"「{inner}」 stands inside 「{outer}」 值互相包含\n  fix: change one of them 請改其中一個"
        for i, inner in enumerate(values)
        for j, outer in enumerate(values)
        if i != j and contains(outer, inner)
    ]


def repeated(values: Iterable[str]) -> list[str]:
    """Describe each value that occurs twice."""
    return [
        f"「{value}」 stands {count} times 重複\n  fix: keep one 請只留一個"
        for value, count in Counter(values).items()
        if count > 1
    ]


def table_problems(tables: Tables) -> list[str]:
    """Check the authored tables by themselves."""
    found = []
    products, policies = tables["products"], tables["policies"]
    keyed = (("products", "商品"), ("products", "售價"), ("policies", "項目"))
    worded = (("skeletons", "問法"), ("policy_questions", "問法"), ("declines", "問題"))
    for name, column in (*keyed, *worded):
        found += [f"{name}.csv: {p}" for p in repeated(row[column] for row in tables[name])]
    for product in products:
        facts = [product[field] for field in FACT_FIELDS]
        inside_name = [fact for fact in facts if contains(product["商品"], fact)]
        where = f"products.csv: {product['商品']}"
        found += [f"{where}: {p}" for p in overlapping(facts)]
        found += [f"{where}: its name contains 「{fact}」 品名含有值" for fact in inside_name]
    for theme in dict.fromkeys(row["主題群"] for row in policies):
        values = [row["值"] for row in policies if row["主題群"] == theme]
        found += [f"policies.csv: {theme}: {p}" for p in overlapping(values)]
    return found + name_problems(tables) + wording_problems(tables)


def wording_problems(tables: Tables) -> list[str]:
    """Check that everything that can be asked has enough wordings for both uses."""
    found = []
    facts = wordings_by_use(tables["skeletons"], "欄位")
    policies = wordings_by_use(tables["policy_questions"], "項目")
    items = [row["項目"] for row in tables["policies"]]
    needs = [("skeletons.csv", facts, field, 8, 4) for field in FACT_FIELDS]
    needs += [("policy_questions.csv", policies, item, 4, 1) for item in items]
    for file, wordings, key, train, test in needs:
        for use, need in ((TRAIN, train), (TEST, test)):
            have = len(wordings.get((key, use), ()))
            if have < need:
                found.append(f"{file}: {key}: {have} {use} wordings\n  fix: write {need} 請補足")
    for row in tables["skeletons"]:
        if row["問法"].count("{商品}") != 1:
            found.append(f"skeletons.csv: 「{row['問法']}」\n  fix: write {{商品}} once 請放一個")
    return found + [
        f"answers.csv: no answer for {field} 缺少回答\n  fix: add a row 請補一列"
        for field in (*FACT_FIELDS, OUT_OF_SCOPE)
        if all(row["欄位"] != field for row in tables["answers"])
    ]


def name_problems(tables: Tables) -> list[str]:
    """Check that every name that points into another table is one that exists there."""
    items = tuple(row["項目"] for row in tables["policies"])
    known = {
        ("products", "用途"): USES,
        ("products", "熟記欄位"): ("", *FACT_FIELDS),
        ("skeletons", "欄位"): FACT_FIELDS,
        ("skeletons", "用途"): USES,
        ("policy_questions", "項目"): items,
        ("policy_questions", "用途"): USES,
        ("answers", "欄位"): (*FACT_FIELDS, OUT_OF_SCOPE),
        ("declines", "用途"): USES,
    }
    return [
        f"{name}.csv: {column}: unknown name 「{row[column]}」 沒有這個名稱\n"
        f"  fix: write one of 請改成其中一個: {'、'.join(filter(None, allowed))}"
        for (name, column), allowed in known.items()
        for row in tables[name]
        if row[column] not in allowed
    ]


def row_problems(rows: list[Row]) -> list[str]:
    """Check each row: one value in the answer, none in the question, nothing too long."""
    found = []
    for row in rows:
        second = [value for value in row.forbidden if contains(row.answer, value)]
        broken = {
            "the answer lacks its value 回答缺少應含": not contains(row.answer, row.required),
            "the answer has a second value 回答含有不應含": bool(second),
            "the question tells the answer 問題洩漏答案": contains(row.question, row.required),
            "the answer is too long 回答太長": len(row.answer) > MAX_ANSWER_CHARS,
            "the sheet is too long 商品資料太長": len(row.sheet) > MAX_SHEET_CHARS,
        }
        where = f"{row.subject}: 「{row.question}」→「{row.answer}」"
        found += [f"{where}: {problem}" for problem, is_broken in broken.items() if is_broken]
    return found


def split_problems(files: dict[str, list[Row]], product_names: list[str]) -> list[str]:
    """Check that no test file repeats what training showed, and that all files are large enough."""

    def skeletons(name: str) -> set[str]:
        return {question_skeleton(row.question, product_names) for row in files[name]}

    train = files["train"]
    facts = {(row.subject, row.required) for row in train if not row.sheet}
    asked = {(row.subject, row.required) for row in files["closed-book"]}
    shared = {
        "closed-book.csv: wording also in train.csv 問法重複": skeletons("closed-book")
        & skeletons("train"),
        "out-of-scope.csv: wording also in train.csv 問法重複": skeletons("out-of-scope")
        & skeletons("train"),
        "open-book.csv: product also in train.csv 商品重複": {r.subject for r in files["open-book"]}
        & {r.subject for r in train},
        "closed-book.csv: fact not in train.csv 訓練沒有": {f"{s} {v}" for s, v in asked - facts},
    }
    found = [f"{what}: {item}" for what, items in shared.items() for item in sorted(items)]
    pairs = [f"{row.question}{row.sheet}" for rows in files.values() for row in rows]
    found += [f"all files 全部檔案: {problem}" for problem in repeated(pairs)]
    return found + size_problems(files, product_names)


def distinct_counts(files: dict[str, list[Row]], product_names: list[str]) -> dict[str, int]:
    """Count distinct skeletons and answers over all files."""
    rows = [row for name in files for row in files[name]]
    skeletons = {question_skeleton(row.question, product_names) for row in rows}
    return dict(zip(MINIMUM_DISTINCT, (len(skeletons), len({r.answer for r in rows})), strict=True))


def size_problems(files: dict[str, list[Row]], product_names: list[str]) -> list[str]:
    """Compare row and distinct counts with the least this recipe promises."""
    have = {name: len(rows) for name, rows in files.items()}
    have |= distinct_counts(files, product_names)
    return [
        f"{name}: {have[name]}, at least {least} needed 數量不足\n  fix: add rows 請補資料"
        for name, least in (MINIMUM_ROWS | MINIMUM_DISTINCT).items()
        if have[name] < least
    ]


def write_rows(path: Path, rows: list[Row], product_names: list[str]) -> None:
    """Write one data file whole: UTF-8 without byte-order mark, LF, the eight columns."""
    partial = path.with_suffix(".tmp")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, row in enumerate(rows, start=1):
            skeleton = question_skeleton(row.question, product_names)
            judged = (row.required, "|".join(row.forbidden))
            text = (row.question, row.answer, row.sheet, row.subject, skeleton)
            writer.writerow((f"{path.stem}-{number:03d}", *text, *judged))
    os.replace(partial, path)


def main(arguments: list[str] | None = None) -> int:
    """Build, check, then write; return 0, 1 when a check fails, 2 when a table cannot be read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, default=RECIPE_DIR, help="folder of the tables")
    parser.add_argument("--out", type=Path, default=RECIPE_DIR, help="folder to write to")
    options = parser.parse_args(arguments)
    try:
        tables = read_tables(options.source)
    except TableError as error:
        print(error, file=sys.stderr)
        return 2
    product_names = [row["商品"] for row in tables["products"]]
    problems = table_problems(tables)
    files = {} if problems else build(tables)
    if files:
        problems = row_problems([row for rows in files.values() for row in rows])
        problems += split_problems(files, product_names)
    if problems:
        print(*problems, "nothing written 未寫出任何檔案", sep="\n", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        write_rows(options.out / f"{name}.csv", rows, product_names)
        print(f"{name}.csv: {len(rows)} rows")
    for name, count in distinct_counts(files, product_names).items():
        print(f"{name}: {count}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
