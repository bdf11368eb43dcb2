"""The ladder as a competent person would put it together in an afternoon: what `sweep` times.

lm-evaluation-harness answers and scores, TRL trains, sentence-transformers and FAISS look up, and
a loop goes through prompt, few_shot, rag and lora. It imports nothing of harness, so that it is
the price of doing without; it asks the same questions in the same words.

    python -m bench.afternoon --data tasks/support_json --model DIR --embedder DIR --out DIR
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Messages = list[dict[str, str]]

QUESTION = "Ticket: "
SHOTS = 4
PASSAGES = 3
BUDGET = 76
"""New tokens of an answer."""
FIELDS = 7


def read(path: Path) -> list[Row]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def drawn(rows: Sequence[Row], count: int | None) -> list[Row]:
    """`count` of the rows, in their old order: those that harness draws with `limit=count`."""
    by_hash = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest())
    chosen = {row["id"] for row in by_hash[:count]}
    return [row for row in rows if row["id"] in chosen]


def write_target(row: Row) -> str:
    """The answer that a model should give."""
    return json.dumps(row["target"], ensure_ascii=False, separators=(",", ":"))


def without_notes(schema: Any) -> Any:
    """A schema without its x- annotations, as a model is shown it."""
    if isinstance(schema, dict):
        return {k: without_notes(v) for k, v in schema.items() if not k.startswith(("x-", "$"))}
    return [without_notes(v) for v in schema] if isinstance(schema, list) else schema


def instructions(data: Path, variant: str) -> str:
    """What the model is told, with the schema filled in."""
    schema = without_notes(json.loads((data / "schema.json").read_text(encoding="utf-8")))
    written = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    text = (data / f"instructions.{variant}.md").read_text(encoding="utf-8").strip()
    return text.replace("{schema}", written)


def retrieve(corpus: Sequence[Row], questions: Sequence[str], embedder: str) -> list[list[Row]]:
    """The passages most like each question, in the order of the corpus."""
    import faiss
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(embedder, device="cpu")
    vectors = model.encode(
        [f"{p['title']}\n{p['text']}" for p in corpus], normalize_embeddings=True
    )
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    _, found = index.search(model.encode(list(questions), normalize_embeddings=True), PASSAGES)
    return [[corpus[i] for i in sorted(row)] for row in found]


def conversations(data: Path, rung: str, rows: Sequence[Row], embedder: str) -> list[Messages]:
    """What each rung asks."""
    told = {"role": "system", "content": instructions(data, "short" if rung == "lora" else "full")}
    shots: Messages = []
    if rung == "few_shot":
        train = read(data / "train.jsonl")
        for shot in random.Random(0).sample(train, SHOTS + 1)[:SHOTS]:
            shots.append({"role": "user", "content": QUESTION + shot["input"]})
            shots.append({"role": "assistant", "content": write_target(shot)})
    asked = [QUESTION + row["input"] for row in rows]
    if rung == "rag":
        passages = retrieve(read(data / "corpus.jsonl"), [row["input"] for row in rows], embedder)
        asked = [
            "\n\n".join([*(f"[{p['id']}] {p['title']}\n{p['text']}" for p in found), question])
            for found, question in zip(passages, asked, strict=True)
        ]
    return [[told, *shots, {"role": "user", "content": question}] for question in asked]


def train(data: Path, model: str, epochs: float, out: Path) -> str:
    """A LoRA adapter by TRL, on the settings that harness has by default; its folder."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    def lessons(split: str) -> Dataset:
        rows = read(data / f"{split}.jsonl")
        asked = conversations(data, "lora", rows, "")
        answers = [[{"role": "assistant", "content": write_target(row)}] for row in rows]
        pairs = zip(asked, answers, strict=True)
        return Dataset.from_list([{"prompt": a, "completion": b} for a, b in pairs])

    trainer = SFTTrainer(
        model,
        SFTConfig(
            output_dir=str(out / "checkpoints"),
            num_train_epochs=epochs,
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,  # below one: a share of all steps
            per_device_train_batch_size=8,
            per_device_eval_batch_size=8,
            train_sampling_strategy="group_by_length",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            eval_strategy="epoch",
            save_strategy="epoch",
            load_best_model_at_end=True,
            report_to="none",
            disable_tqdm=True,
            model_init_kwargs={"dtype": "float32"},
        ),
        train_dataset=lessons("train"),
        eval_dataset=lessons("dev"),
        peft_config=LoraConfig(
            r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    trainer.train()
    trainer.save_model(str(out / "adapter"))
    return str(out / "adapter")


def score(doc: Row, results: Sequence[str]) -> dict[str, float]:
    """The share of fields that are right, as lm-evaluation-harness asks for it."""
    try:
        given = json.loads(results[0][results[0].find("{") :])
    except json.JSONDecodeError:
        given = {}
    given = given if isinstance(given, dict) else {}
    target = json.loads(doc["target"])
    return {"fields": sum(given.get(k, 0) == v for k, v in target.items()) / FIELDS}


def evaluate(
    backend: Any, rung: str, prompts: Sequence[str], rows: Sequence[Row], out: Path
) -> Row:
    """One rung as a task of lm-evaluation-harness; writes the answers, returns the metrics."""
    import lm_eval

    docs = out / f"{rung}.docs.jsonl"
    lines = [
        json.dumps({"prompt": prompt, "target": write_target(row)}) + "\n"
        for prompt, row in zip(prompts, rows, strict=True)
    ]
    docs.write_text("".join(lines), encoding="utf-8")
    task = {
        "task": rung,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(docs)}, "cache_dir": str(out / "datasets")},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": lambda doc: doc["prompt"],
        "doc_to_target": lambda doc: doc["target"],
        "process_results": score,
        "metric_list": [{"metric": "fields", "aggregation": "mean", "higher_is_better": True}],
        "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": BUDGET},
    }
    done = lm_eval.simple_evaluate(backend, tasks=[task], log_samples=True, verbosity="ERROR")
    answers = [sample["resps"][0][0] for sample in done["samples"][rung]]
    kept = [
        json.dumps({"id": row["id"], "text": text}) + "\n"
        for row, text in zip(rows, answers, strict=True)
    ]
    (out / f"{rung}.jsonl").write_text("".join(kept), encoding="utf-8")
    return {k: v for k, v in done["results"][rung].items() if k.startswith("fields")}


def main() -> None:
    """The four rungs, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.afternoon", description=__doc__)
    for name in ("data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("model", "embedder"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    from lm_eval.models.huggingface import HFLM

    rows = drawn(read(given.data / "eval.jsonl"), given.limit)
    settings = {"device": "cpu", "dtype": "float32", "batch_size": given.batch}
    backend = HFLM(given.model, **settings)
    for rung in ("prompt", "few_shot", "rag", "lora"):
        if rung == "lora":
            adapter = train(given.data, given.model, given.epochs, given.out)
            backend = HFLM(given.model, peft=adapter, **settings)
        asked = conversations(given.data, rung, rows, given.embedder)
        prompts = [backend.apply_chat_template(messages) for messages in asked]
        print(rung, evaluate(backend, rung, prompts, rows, given.out), flush=True)


if __name__ == "__main__":
    main()
