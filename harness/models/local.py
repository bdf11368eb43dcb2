"""A language model on this machine: weights, tokenizer, chat template, answering.

This is the only place where a chat template is applied.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from harness.errors import ConfigError, WeightsError
from harness.models import plain
from harness.models.decode import Completion, Constraint, generate
from harness.models.packed import pack
from harness.models.weights import Weights, cache_folder, exclusive
from harness.progress import unless_watched

__all__ = ["LocalModel", "Message", "ModelSpec", "dtype_of", "load_model"]

MIXED = "mixed"
"""The dtype of a model whose weights and sums are float32 and whose products are bfloat16."""

Message = Mapping[str, str]
"""`{"role": "system" | "user" | "assistant", "content": …}`"""


@dataclass(frozen=True)
class ModelSpec:
    """Which model answers, and in what precision."""

    name: str
    weights: Weights
    dtype: str
    """float32, bfloat16, float16, or mixed: float32 with matrix products in bfloat16."""
    licence: str
    gated: bool
    """Whether its licence must be accepted before it can be fetched."""
    device: str
    """auto (a GPU if there is one), cpu or cuda."""


class LocalModel:
    """A model that answers prompts of token ids, and knows how to write them."""

    def __init__(self, spec: ModelSpec, folder: Path, fingerprint: str) -> None:
        self.spec = spec
        self.folder = folder
        self.fingerprint = fingerprint
        """SHA-256 or commit that tells these weights from all others."""
        self.device = _device(spec.device)
        if spec.dtype == MIXED and not _multiplies_in_bfloat16(self.device):
            raise ConfigError("model.dtype=mixed: needs a CPU with bfloat16; use float32 here")
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        if self.tokenizer.chat_template is None:
            raise WeightsError(f"{spec.name}: has no chat template; choose an instruct model")
        self._model: PreTrainedModel | None = None
        self.adapter: Any = None
        """A PEFT adapter that cannot be merged into the weights and answers in front of them."""

    @property
    def model(self) -> PreTrainedModel:
        """The weights, loaded when first needed and laid out for answering."""
        if self._model is None:
            self._model = self.fresh(dtype_of(self.spec.dtype))
            pack(self._model, self._products)
        return self._model

    def fresh(self, dtype: torch.dtype) -> PreTrainedModel:
        """A new copy of the weights, in evaluation mode."""
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
        return model.to(self.device).eval()

    def with_weights(self, model: PreTrainedModel, fingerprint: str) -> LocalModel:
        """The same model with other weights, which must be laid out like `fresh`."""
        other = LocalModel(self.spec, self.folder, fingerprint)
        pack(model, self._products)
        other._model = model
        return other

    def with_adapter(self, adapter: Any, fingerprint: str) -> LocalModel:
        """The same model behind a PEFT adapter that stays apart from the weights."""
        other = LocalModel(self.spec, self.folder, fingerprint)
        other._model, other.adapter = adapter.get_base_model(), adapter
        return other

    @property
    def _products(self) -> torch.dtype | None:
        """In which precision matrix products are done, where that is not the weights'."""
        return torch.bfloat16 if self.spec.dtype == MIXED else None

    @property
    def parameters(self) -> int:
        """How many weights there are; a weight that is used twice counts once."""
        with torch.device("meta"):
            config = self.model.config
            return sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together that the model was made for, if it says so."""
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(most) if most else None

    @property
    def template(self) -> str:
        """SHA-256 of the chat template that writes every prompt."""
        return hashlib.sha256(str(self.tokenizer.chat_template).encode()).hexdigest()

    @property
    def stop(self) -> frozenset[int]:
        """Token ids that end an answer: what the model's own generation settings say."""
        ids = self.model.generation_config.eos_token_id if self.model.generation_config else None
        listed = ids if isinstance(ids, list) else [ids]
        return frozenset(i for i in [*listed, self.tokenizer.eos_token_id] if i is not None)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation up to where the assistant's answer begins."""
        return self._ids(self._text(messages, open_turn=True))

    def encode_answer(self, messages: Sequence[Message], answer: str) -> list[int]:
        """Token ids of the assistant's answer to a conversation, with the stop token."""
        opened = self._text(messages, open_turn=True)
        closed = self._text([*messages, {"role": "assistant", "content": answer}], open_turn=False)
        text = closed[len(opened) :] if closed.startswith(opened) else answer
        ids = self._ids(text)
        end = next((i for i, token in enumerate(ids) if token in self.stop), None)
        # Templates write a line break behind the stop token, which nobody ever generates.
        return ids[: end + 1] if end is not None else [*ids, self.tokenizer.eos_token_id]

    def decode(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def answer(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        batch_size: int | None = None,
        constraint: Callable[[], Constraint] | None = None,
    ) -> Iterator[Completion]:
        """Greedy answers, in the order in which they finish.

        `constraint` begins a new one for each prompt.
        """
        longest = max(map(len, prompts), default=0) + max_new_tokens
        if self.adapter is not None or not _fits_shared_prefix(self.model, longest):
            self.model.set_attn_implementation("sdpa")
            return plain.generate(
                self.adapter or self.model,
                prompts,
                self.stop,
                max_new_tokens,
                batch_size,
                self.tokenizer.eos_token_id,
                padded=self.adapter is None,
                constraint=constraint,
            )
        return generate(
            self.model,
            prompts,
            stop=self.stop,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            constraint=constraint,
            steady=self._products is not None,
        )

    def _text(self, messages: Sequence[Message], *, open_turn: bool) -> str:
        try:
            return self._template(messages, open_turn)
        except TemplateError:  # Gemma's and Mistral's templates refuse a system turn
            if messages[0]["role"] != "system":
                raise
            first, second, *rest = messages
            merged = {
                "role": second["role"],
                "content": f"{first['content']}\n\n{second['content']}",
            }
            return self._template([merged, *rest], open_turn)

    def _template(self, messages: Sequence[Message], open_turn: bool) -> str:
        text: str = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=open_turn
        )
        return text

    def _ids(self, text: str) -> list[int]:
        # The template has written BOS already where the model wants one.
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids


@lru_cache(maxsize=1)
def load_model(spec: ModelSpec) -> LocalModel:
    """The model of a spec; the last one is kept, as the rungs of a sweep share it."""
    gc.collect()
    path = spec.weights.resolve()
    fingerprint = spec.weights.fingerprint()
    folder = _dequantized(path, fingerprint) if path.suffix == ".gguf" else path
    return LocalModel(spec, folder, fingerprint)


def _dequantized(path: Path, fingerprint: str) -> Path:
    """A GGUF file as a folder of safetensors in float32: written once, then loaded in seconds."""
    target = cache_folder("dequantized") / fingerprint[:16]
    with exclusive(target.parent):
        if not target.exists():
            scratch = target.parent / f"fetch-{target.name}"
            with unless_watched():
                model = AutoModelForCausalLM.from_pretrained(
                    path.parent, gguf_file=path.name, dtype=torch.float32
                )
            # What is saved is not quantized any more and must not say that it is.
            model.hf_quantizer = None
            del model.config.quantization_config
            model.save_pretrained(scratch)
            AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(scratch)
            scratch.rename(target)
    return target


def dtype_of(name: str) -> torch.dtype:
    """The torch dtype of a name in the configuration. Raises ConfigError."""
    dtypes = {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
        MIXED: torch.float32,
    }
    if name not in dtypes:
        raise ConfigError(f"model.dtype={name}: is not one of {', '.join(dtypes)}")
    return dtypes[name]


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"model.device={name}: there is no GPU here; use auto or cpu")
    return torch.device(name)


def _multiplies_in_bfloat16(device: torch.device) -> bool:
    """Whether this is a processor with instructions for it that oneDNN uses."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return (
        device.type == "cpu" and has_onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported() is True
    )


def _fits_shared_prefix(model: PreTrainedModel, longest: int) -> bool:
    """Whether this architecture takes our attention, and no layer sees only a window of it."""
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    return model._supports_attention_backend and (window is None or longest <= window)
