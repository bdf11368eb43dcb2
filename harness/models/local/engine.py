"""A language model on this machine: weights, tokenizer, chat template, answering.

This is the only place where a chat template is applied.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jinja2 import TemplateError
from llguidance import LLTokenizer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
)

from harness.constraint import Constraint
from harness.errors import ConfigError, WeightsError, first_line
from harness.models.engine import Capabilities, Completion, Conversation, Usage
from harness.models.local import four_bit, likelihood, padded
from harness.models.local.attention import has_sinks, set_plain
from harness.models.local.constraint import compile_constraint, grammar_tokenizer
from harness.models.local.decode import Begin, Decoded, generate
from harness.models.local.learned_prefix import LearnedPrefix, learned_prefix
from harness.models.local.packed_linear import pack
from harness.models.local.read import read_model
from harness.models.local.spec import MIXED, ModelSpec
from harness.models.local.template import applied, check_template
from harness.models.local.verbatim import Verbatim

__all__ = ["LocalEngine", "device_of", "dtype_of"]


class LocalEngine:
    """A transformers model that answers conversations, and whose weights can be trained."""

    deterministic = True

    def __init__(self, spec: ModelSpec, folder: Path, fingerprint: str) -> None:
        self.spec = spec
        self.folder = folder
        self.fingerprint = fingerprint
        """SHA-256 or commit that tells these weights from all others."""
        self.device = device_of(spec.device)
        if spec.dtype == MIXED and not _multiplies_in_bfloat16(self.device):
            raise ConfigError("model.dtype=mixed: needs a CPU with bfloat16; use float32 here")
        self.tokenizer = _tokenizer(folder, spec.name)
        check_template(self.tokenizer, spec.name)
        self.capabilities = Capabilities(
            tunable=True,
            constrainable=True,
            log_probabilities=True,
            tool_turns=self._has_tool_turns(),
        )
        self._model: PreTrainedModel | None = None
        self._in_folder = True
        """Whether the weights are those of the folder, where they can be read again."""
        self.adapter: Any = None
        """A PEFT adapter that cannot be merged into the weights and answers in front of them."""
        self.learned: LearnedPrefix | None = None
        """The same as keys and values, for answering."""

    @property
    def name(self) -> str:
        return self.spec.name

    def record(self) -> dict[str, Any]:
        return {
            "weights": self.fingerprint,
            "dtype": self.spec.dtype,
            "template": self.template,
            "parameters": self.parameters,
            "device": str(self.device),
        }

    @cached_property
    def config(self) -> Any:
        """The architecture, as transformers has it."""
        try:
            return AutoConfig.from_pretrained(self.folder, trust_remote_code=False)
        except Exception as error:  # of many kinds
            raise WeightsError(
                f"{self.folder / 'config.json'}: describes no model that transformers knows "
                f"({first_line(error)}); choose another one"
            ) from error

    @cached_property
    def _generation(self) -> Any:
        """The model's own generation settings, read without its weights: training in four bits
        must not need the whole of them."""
        try:
            return GenerationConfig.from_pretrained(self.folder)
        except OSError:
            return GenerationConfig.from_model_config(self.config)

    @property
    def model(self) -> PreTrainedModel:
        """The weights, loaded when first needed and laid out for answering."""
        if self._model is None:
            self._model = self.fresh(dtype_of(self.spec.dtype))
            pack(self._model, self._products)
        return self._model

    def fresh(self, dtype: torch.dtype, quantized: bool = False) -> PreTrainedModel:
        """A new copy of the weights, in evaluation mode; if `quantized`, in four bits."""
        if quantized:
            # From the precision that it answers in, whatever trains: the same codes for both.
            codes = four_bit.load(self.folder, dtype_of(self.spec.dtype), self.device)
            four_bit.compute_in(codes, dtype)
            return codes
        return read_model(self.folder, dtype=dtype).to(self.device).eval()

    def release(self) -> None:
        """Let go of weights that stand on a GPU until they are needed again, as training needs the
        room. In a CPU's memory they stay: to read them for each rung anew would cost more."""
        if self.device.type == "cuda" and self._in_folder:
            self._model = None
            torch.cuda.empty_cache()

    def with_weights(self, model: PreTrainedModel, fingerprint: str) -> LocalEngine:
        """The same model with other weights, which must be laid out like `fresh`."""
        other = self._twin(fingerprint)
        pack(model, self._products)
        other._model, other._in_folder = model, False
        return other

    def with_folder(self, folder: Path, fingerprint: str) -> LocalEngine:
        """The same model with the weights in another folder, loaded when first needed."""
        other = self._twin(fingerprint)
        other.folder, other._in_folder = folder, True
        return other

    def with_adapter(self, adapter: Any, fingerprint: str) -> LocalEngine:
        """The same model behind a prompt-learning adapter, which stays apart from the weights."""
        other = self._twin(fingerprint)
        model = adapter.get_base_model()
        other._model, other._in_folder = model, False
        other.adapter, other.learned = adapter, learned_prefix(adapter)
        pack(model, self._products)
        return other

    def _twin(self, fingerprint: str) -> LocalEngine:
        """The same tokenizer and template, without weights."""
        other = copy.copy(self)
        other.fingerprint, other._model = fingerprint, None
        other.adapter, other.learned = None, None
        return other

    @property
    def _products(self) -> torch.dtype | None:
        """In which precision matrix products are done, where that is not the weights'."""
        return torch.bfloat16 if self.spec.dtype == MIXED else None

    @property
    def parameters(self) -> int:
        """How many weights there are; a weight that is used twice counts once."""
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(self.config)
        return sum(p.numel() for p in model.parameters())

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together that the model was made for, if it says so."""
        most = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        return int(most) if most else None

    @property
    def template(self) -> str:
        """SHA-256 of the chat template that writes every prompt."""
        return hashlib.sha256(str(self.tokenizer.chat_template).encode()).hexdigest()

    @property
    def stop(self) -> frozenset[int]:
        """Token ids that end an answer: what the model's own generation settings say."""
        ids = self._generation.eos_token_id
        listed = ids if isinstance(ids, list) else [ids]
        return frozenset(i for i in [*listed, self.tokenizer.eos_token_id] if i is not None)

    def encode(self, messages: Conversation) -> list[int]:
        """Token ids of a conversation up to where the assistant's answer begins."""
        return self._verbatim.ids(self._text(messages, open_turn=True))

    def encode_answer(self, messages: Conversation, answer: str) -> list[int]:
        """Token ids of the assistant's answer to a conversation, with the stop token."""
        opened = self._text(messages, open_turn=True)
        closed = self._text([*messages, {"role": "assistant", "content": answer}], open_turn=False)
        text = closed[len(opened) :] if closed.startswith(opened) else answer
        ids = self._verbatim.ids(text)
        end = next((i for i, token in enumerate(ids) if token in self.stop), None)
        # Templates write a line break behind the stop token, which nobody ever generates.
        return ids[: end + 1] if end is not None else [*ids, self.tokenizer.eos_token_id]

    def decode(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    @cached_property
    def _verbatim(self) -> Verbatim:
        return Verbatim(self.tokenizer)

    @cached_property
    def grammar_tokenizer(self) -> LLTokenizer:
        """The tokenizer as grammars need it. Raises ConfigError for one that they cannot read."""
        return grammar_tokenizer(self)

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        """Of a text that is certainly longer than the context, at least so many: it is not read."""
        return [self._count(self._text(c, open_turn=True)) for c in conversations]

    def _count(self, text: str) -> int:
        least = len(text) // self._widest
        beyond = self.context is not None and least > self.context
        return least if beyond else len(self._verbatim.ids(text))

    @cached_property
    def _widest(self) -> int:
        """Characters of the longest token."""
        return max(map(len, self.tokenizer.get_vocab()))

    def count_answers(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [
            1 + len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False).input_ids
        ]

    def answer(
        self,
        conversations: Sequence[Conversation],
        max_tokens: int,
        constraint: Constraint | Sequence[Constraint] | None = None,
    ) -> Iterator[Completion]:
        """Greedy answers, in the order in which they are done."""
        prompts = [self.encode(conversation) for conversation in conversations]
        begin: Begin | Sequence[Begin] | None = None
        if isinstance(constraint, Sequence):
            begin = [compile_constraint(one, self) for one in constraint]
        elif constraint is not None:
            begin = compile_constraint(constraint, self)
        for done in self.generate(prompts, max_tokens, self.spec.batch_size, begin):
            usage = Usage(
                prompt_tokens=len(prompts[done.index]),
                computed_tokens=done.computed,
                completion_tokens=len(done.tokens),
                seconds=done.seconds,
                batch=done.batch,
            )
            yield Completion(done.index, self.decode(done.tokens), done.finish, usage)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        batch_size: int | None = None,
        constraint: Begin | Sequence[Begin] | None = None,
    ) -> Iterator[Decoded]:
        """Greedy answers to prompts of token ids, in the order in which they finish.

        `constraint` begins a new one for each prompt; of several each is for one prompt.
        """
        virtual = len(self.learned.tokens) if self.learned else 0
        longest = virtual + max(map(len, prompts), default=0) + max_new_tokens
        if not _fits_shared_prefix(self.model, longest):
            set_plain(self.model)
            return padded.generate(
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
            learned=self.learned,
        )

    @torch.inference_mode()
    def log_probabilities(
        self,
        conversations: Sequence[Conversation],
        answers: Sequence[Sequence[str]],
        *,
        ended: bool = True,
    ) -> list[list[float]]:
        """ln P(answer and, if `ended`, stop token | conversation), in nats, unconstrained."""
        set_plain(self.model)
        prompts = [self.encode(conversation) for conversation in conversations]
        written = [
            [self.encode_answer(c, text)[: None if ended else -1] for text in texts]
            for c, texts in zip(conversations, answers, strict=True)
        ]
        asked = list(zip(prompts, written, strict=True))
        longest = max((len(p) + len(tokens) for p, w in asked for tokens in w), default=0)
        # The eager attention adds its mask to the scores; that of a tree of answers is boolean.
        takes_trees = self.adapter is None and self.model._supports_sdpa
        if takes_trees and _fits_shared_prefix(self.model, longest):
            return list(likelihood.answers(self.model, prompts, written))
        model = self.adapter or self.model
        return [likelihood.answers_in_batches(model, p, w) for p, w in asked]

    @torch.inference_mode()
    def text_log_probabilities(self, texts: Sequence[str], max_tokens: int) -> list[list[float]]:
        set_plain(self.model)
        ids = self.tokenizer(list(texts), truncation=True, max_length=max_tokens).input_ids
        return [likelihood.text(self.adapter or self.model, tokens) for tokens in ids]

    @torch.inference_mode()
    def distributions(self, conversation: Conversation, answer: str) -> npt.NDArray[np.float32]:
        set_plain(self.model)
        prompt, written = self.encode(conversation), self.encode_answer(conversation, answer)
        found = likelihood.distributions(self.adapter or self.model, prompt, written)
        values: npt.NDArray[np.float32] = found.cpu().numpy()
        return values

    def _text(self, messages: Conversation, *, open_turn: bool) -> str:
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

    def _template(self, messages: Conversation, open_turn: bool) -> str:
        hidden = self._verbatim.hide(messages)
        return applied(self.tokenizer, self.name, hidden, open_turn=open_turn)

    def _has_tool_turns(self) -> bool:
        """Whether the chat template names the role `tool`, and takes such a turn behind an answer
        in plain text: some write any role that they are given, and some want calls of their own
        form before it."""
        if not re.search(r"""['"]tool['"]""", str(self.tokenizer.chat_template)):
            return False
        turns = [("user", "?"), ("assistant", "{}"), ("tool", "FOUND")]
        try:
            written = self._template([{"role": r, "content": c} for r, c in turns], True)
        except Exception:  # noqa: BLE001 - whatever a template raises, it has no place for it
            return False
        return "FOUND" in written


def _tokenizer(folder: Path, name: str) -> Any:
    """Raises WeightsError for one that cannot be read."""
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # tokenizers written in Rust raise a bare Exception
        raise WeightsError(
            f"{name}: the tokenizer in {folder} cannot be read ({first_line(error)}); fetch it "
            "again, or choose a model that transformers knows"
        ) from error


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


def device_of(name: str) -> torch.device:
    """The torch device of a name in the configuration. Raises ConfigError."""
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
    seen = window is None or longest <= window
    return model._supports_attention_backend and seen and not has_sinks(model)
