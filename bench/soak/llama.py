"""A random Llama of 100,000 weights with its tokenizer: as GGUF, as a folder, and in wheels."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.progress import silence_libraries

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["models", "tokenizer"]

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
SPECIAL = ["<s>", "</s>", "<|endoftext|>"]  # transformers adds the last to every GGUF of BPE
GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers": "blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
}


@lru_cache(maxsize=1)
def models() -> Path:
    """A folder with `models/` and `wheels/`, made once for this process."""
    silence_libraries()
    folder = Path(tempfile.mkdtemp(prefix="soak-models-"))
    _write_llama(folder / "models" / "embedder", folder / "models" / "tiny.gguf")
    (folder / "wheels").mkdir()
    _write_wheel(folder / "wheels", "model", folder / "models" / "tiny.gguf")
    _write_wheel(folder / "wheels", "embedder", folder / "models" / "embedder")
    return folder


def tokenizer(special: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE with pad == eos, as many instruct models have it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator(["red blue colour code note ticket assistant"], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    fast.chat_template = TEMPLATE
    return fast


def _write_llama(folder: Path, gguf: Path) -> None:
    """A random Llama with its tokenizer, as a folder and in 8 bits."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    fast = tokenizer(SPECIAL)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    _write_gguf(gguf, model, json.loads(fast.backend_tokenizer.to_str())["model"], config)


def _write_gguf(path: Path, model: Any, bpe: Mapping[str, Any], config: Any) -> None:
    """The model as llama.cpp keeps it; its keys and queries are random in any order."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in bpe["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(1)
    writer.add_chat_template(TEMPLATE)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":  # tied
            continue
        values = tensor.numpy()
        if values.ndim == 1:
            writer.add_tensor(_in_gguf(name), values)
        else:
            kind = GGMLQuantizationType.Q8_0
            writer.add_tensor(_in_gguf(name), quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _in_gguf(name: str) -> str:
    """What llama.cpp calls a tensor of a Llama."""
    for ours, theirs in GGUF_NAMES.items():
        name = name.replace(ours, theirs)
    return name


def _write_wheel(folder: Path, name: str, content: Path) -> None:
    """A wheel that holds a file or a folder: what `pip download` takes from `wheels/`."""
    info = f"soak_{name}-1.0.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: soak\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    meta = f"Metadata-Version: 2.1\nName: soak-{name}\nVersion: 1.0\n"
    with zipfile.ZipFile(folder / f"soak_{name}-1.0-py3-none-any.whl", "w") as archive:
        for path in [content] if content.is_file() else sorted(content.rglob("*")):
            archive.write(path, f"soak_{name}/{path.relative_to(content.parent).as_posix()}")
        archive.writestr(f"{info}/WHEEL", wheel)
        archive.writestr(f"{info}/METADATA", meta)
        archive.writestr(f"{info}/RECORD", "")
