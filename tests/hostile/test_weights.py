"""Folders of weights that somebody forged: refused by name, and nothing of theirs is run."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.errors import WeightsError
from harness.models.embedder import _load
from harness.models.headers import LONGEST_HEADER, check_gguf, check_safetensors
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.models.local.load import load_engine
from harness.models.local.read import read_model
from harness.models.vetting import check_adapter, check_embedder, check_model
from harness.models.weights import Folder

CODE = "from pathlib import Path\nPath({!r}).touch()\n"
"""A module that leaves a trace when it is imported."""


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """A sound model; each test spoils one thing of its own copy."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def engine(folder: Path) -> LocalEngine:
    """The way on which a run comes to its model."""
    return load_engine(ModelSpec("forged", Folder(str(folder)), "float32", "MIT", False, "cpu"))


def change(path: Path, **values: Any) -> None:
    kept = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(kept | values))


class Program:
    """Pickled, it is a program that leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_a_sound_model_passes(folder: Path) -> None:
    check_model(folder)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "model.pkl", "m.joblib"]
)
def test_a_pickle_in_the_place_of_safetensors_is_not_unpickled(
    folder: Path, tmp_path: Path, name: str
) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Program(tmp_path / "ran")))
    with pytest.raises(WeightsError, match=rf"{name}: a pickle is a program.*as safetensors"):
        check_model(folder)
    assert not (tmp_path / "ran").exists()


def test_a_run_checks_the_folder_before_it_reads_it(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Program(tmp_path / "ran")))
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})
    with pytest.raises(WeightsError, match="auto_map names code"):
        engine(folder)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_beside_safetensors_is_inert(folder: Path, tmp_path: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Program(tmp_path / "ran")))
    engine(folder).model  # noqa: B018 - reads the weights
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "evil.Model"}}, "auto_map"),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "evil.C"}}}, "auto_map"),
        ("config.json", {"_attn_implementation": "evil/kernel"}, "evil/kernel"),
        ("config.json", {"trust_remote_code": True}, "trust_remote_code"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}, "auto_map"),
        ("generation_config.json", {"custom_generate": "evil/repo"}, "custom_generate"),
        ("preprocessor_config.json", {"auto_map": {"AutoProcessor": "evil.P"}}, "auto_map"),
    ],
)
def test_code_that_a_configuration_names_is_refused(
    folder: Path, tmp_path: Path, file: str, values: dict[str, Any], said: str
) -> None:
    (folder / "evil.py").write_text(CODE.format(str(tmp_path / "ran")))
    change(folder / file, **values)
    with pytest.raises(WeightsError, match=rf"{file}: .*{said}.*is not run"):
        check_model(folder)
    assert not (tmp_path / "ran").exists()


def test_a_folder_of_generation_code_is_refused(folder: Path) -> None:
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text("1 / 0")
    with pytest.raises(WeightsError, match="custom_generate"):
        check_model(folder)


def test_an_adapter_in_a_model_folder_is_refused(folder: Path) -> None:
    change(folder / "adapter_config.json", base_model_name_or_path="/elsewhere", peft_type="LORA")
    with pytest.raises(WeightsError, match=r"adapter_config\.json: an adapter names another model"):
        check_model(folder)


def test_an_adapter_as_a_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").write_bytes(pickle.dumps(Program(tmp_path / "ran")))
    with pytest.raises(WeightsError, match=r"adapter_model\.bin: a pickle is a program"):
        check_adapter(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil.module"}},
        {"auto_map": {"AutoModel": "evil.Model"}},
        {"megatron_config": {"a": 1}, "megatron_core": "evil"},
    ],
)
def test_code_that_an_adapter_names_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    change(tmp_path / "adapter_config.json", **config)
    with pytest.raises(WeightsError, match=r"adapter_config\.json: .* names code"):
        check_adapter(tmp_path)


def header(table: Any, data: bytes = b"") -> bytes:
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(begin: int, end: int, shape: Any = None, dtype: Any = "U8") -> dict[str, Any]:
    shape = [end - begin] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "header says 0 bytes"),
        (b"\xff" * 8, "header says 18,446,744,073,709,551,615 bytes, and the file has 8"),
        ((100).to_bytes(8, "little") + b"{}", "header says 100 bytes"),
        (header([1]), "not an object"),
        ((3).to_bytes(8, "little") + b"\xff{}", "not JSON"),
        ((10**5).to_bytes(8, "little") + b"[" * 10**5, "not JSON"),
        (header({"a": tensor(0, 4), "b": tensor(2, 6)}, b"123456"), "'b' overlaps with"),
        (header({"a": tensor(0, 2), "b": tensor(4, 6)}, b"123456"), "'b' leaves a hole"),
        (header({"a": tensor(-4, 0)}), "cannot be"),
        (header({"a": tensor(0, 4)}, b"12"), "tensors take 4 bytes.* are 2"),
        (header({"a": tensor(0, 4)}, b"123456"), "tensors take 4 bytes.* are 6"),
        (header({"a": tensor(0, 4, [2**40, 2**40])}, b"1234"), "its shape .* needs 1,208,925,819"),
        (header({"a": tensor(0, 4, [-2, -2])}, b"1234"), "cannot be"),
        (header({"a": tensor(0, 4, "four")}, b"1234"), "cannot be"),
        (header({"a": tensor(0, 4, None, "F32")}, b"1234"), "needs 16"),
        (header({"a": tensor(0, 4, None, "PYOBJ")}, b"1234"), "no known dtype"),
        (header({"a": {"dtype": "U8"}}), "no known dtype"),
    ],
)
def test_a_safetensors_header_that_does_not_describe_its_file_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"model\.safetensors: .*{said}.*fetch it again"):
        check_safetensors(path)


def test_a_header_of_100_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((100_000_000).to_bytes(8, "little"))
        file.truncate(200_000_000)  # a hole, which takes no room
    with pytest.raises(
        WeightsError, match=f"header of 100,000,000 bytes .at most {LONGEST_HEADER:,}"
    ):
        check_safetensors(path)


def respoil(folder: Path, **changes: Any) -> None:
    """The model's tensors with some replaced, or taken out by None."""
    path = folder / "model.safetensors"
    tensors = load_file(path) | changes
    save_file({k: v for k, v in tensors.items() if v is not None}, path, {"format": "pt"})


NORM = "model.norm.weight"


def test_tensors_that_are_missing_are_not_drawn_at_random(folder: Path) -> None:
    respoil(folder, **{NORM: None})
    with pytest.raises(WeightsError, match=rf"1 tensors are missing, such as {NORM}"):
        read_model(folder)


def test_tensors_of_another_shape_are_refused(folder: Path) -> None:
    respoil(folder, **{NORM: np.ones(7, np.float32)})
    with pytest.raises(WeightsError, match="shapes"):
        read_model(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_hidden_layers", 10**9), ("hidden_size", 10**15), ("head_dim", -1)],
)
def test_sizes_that_no_weights_have_are_refused(folder: Path, key: str, value: int) -> None:
    change(folder / "config.json", **{key: value})
    with pytest.raises(WeightsError, match=rf"{key} is {value}"):
        check_model(folder)


@pytest.mark.parametrize("part", ["../../secret.safetensors", "/etc/passwd", "weights.bin"])
def test_an_index_names_safetensors_of_its_own_folder(folder: Path, part: str) -> None:
    change(folder / "model.safetensors.index.json", weight_map={NORM: part})
    with pytest.raises(WeightsError, match="no safetensors of its folder"):
        check_model(folder)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", "{", "not JSON"),
        ("config.json", "[" * 100_000, "not JSON"),
        ("config.json", '{"model_type": "nonesuch"}', "no model that transformers knows"),
        ("tokenizer.json", "{}", "the tokenizer in .* cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    folder: Path, file: str, content: str, said: str
) -> None:
    (folder / file).write_text(content)
    with pytest.raises(WeightsError, match=said):
        engine(folder).config  # noqa: B018 - read when it is asked for


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(
    fields: bytes = b"", n: int = 0, infos: bytes = b"", tensors: int = 0, version: int = 3
) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, n) + fields + infos


def info(shape: list[int], kind: int, offset: int) -> bytes:
    return text("t") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


STRINGS, ARRAY = 8, 9


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGML" + b"\0" * 40, "does not begin as a GGUF file"),
        (b"GGUF\x03\0\0", "ends within its header"),
        (gguf(version=99), "GGUF version is 99"),
        (gguf(n=2**60), "it has 1,152,921,504,606,846,976 fields"),
        (gguf(tensors=2**60), "it has 1,152,921,504,606,846,976 tensors"),
        (gguf(struct.pack("<Q", 2**60), 1), "that 1,152,921,504,606,846,976 bytes follow"),
        (gguf(text("a") + struct.pack("<IQ", STRINGS, 2**62), 1), "bytes follow"),
        (gguf(text("a") + struct.pack("<I", 77), 1), "'a' is of an unknown type, 77"),
        (gguf(text("a") + struct.pack("<IIQ", ARRAY, 4, 2**60), 1), "values of 'a'"),
        (gguf(text("a") + struct.pack("<IIQ", ARRAY, STRINGS, 4_000_000), 1), "ends within"),
        (gguf(text("a") + struct.pack("<IIQ", ARRAY, ARRAY, 1), 1), "unknown type, 9"),
        (gguf(text("general.alignment") + struct.pack("<II", 4, 0), 1), "alignment is 0"),
        (gguf(infos=info([32], 0, 2**50), tensors=1), "ends at byte 1,125,899,906,8"),
        (gguf(infos=info([2**40, 2**40], 0, 0), tensors=1), "'t' ends at byte"),
        (gguf(infos=info([32], 0, 0) * 9, tensors=9) + b"\0" * 160, "its tensors take 1,152 bytes"),
        (gguf(infos=info([32], 999, 0), tensors=1), "'t' is of an unknown type, 999"),
        (gguf(infos=info([33], 2, 0), tensors=1), "no whole blocks"),
        (gguf(infos=info([1] * 9, 0, 0), tensors=1), "dimensions of 't'"),
    ],
)
def test_a_gguf_header_that_does_not_describe_its_file_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"model\.gguf: .*{said}"):
        check_gguf(path)


def test_a_gguf_file_that_describes_itself_passes(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_array("tokenizer.ggml.scores", [0.0, 1.0])
    writer.add_tensor("t", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check_gguf(tmp_path / "model.gguf")


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    """A model of sentence-transformers as far as its files are looked at."""
    folder = tmp_path / "embedder"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "1_Pooling" / "config.json").write_text("{}")
    save_file({"a": np.ones(2, np.float32)}, folder / "model.safetensors")
    kind = "sentence_transformers.models"
    parts = [
        {"path": "", "type": f"{kind}.Transformer"},
        {"path": "1_Pooling", "type": f"{kind}.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(parts))
    check_embedder(folder)
    return folder


@pytest.mark.parametrize("kind", ["evil.Model", "os.system", "sentence_transformers.util.fullname"])
def test_a_module_that_is_code_is_refused(embedder: Path, tmp_path: Path, kind: str) -> None:
    (embedder / "evil.py").write_text(CODE.format(str(tmp_path / "ran")))
    (embedder / "modules.json").write_text(json.dumps([{"path": "", "type": kind}]))
    with pytest.raises(WeightsError, match=rf"modules\.json: type '{kind}' is code"):
        _load(Folder(str(embedder)), "cpu")
    assert not (tmp_path / "ran").exists()


def test_a_module_elsewhere_is_refused(embedder: Path) -> None:
    part = {"path": "../../x", "type": "sentence_transformers.models.Pooling"}
    (embedder / "modules.json").write_text(json.dumps([part]))
    with pytest.raises(WeightsError, match="outside the folder"):
        check_embedder(embedder)


def test_an_embedder_of_pickles_is_refused(embedder: Path, tmp_path: Path) -> None:
    (embedder / "1_Pooling" / "pytorch_model.bin").write_bytes(
        pickle.dumps(Program(tmp_path / "ran"))
    )
    with pytest.raises(WeightsError, match="a pickle is a program"):
        _load(Folder(str(embedder)), "cpu")
    assert not (tmp_path / "ran").exists()


def test_code_that_an_embedder_trusts_is_refused(embedder: Path) -> None:
    change(embedder / "sentence_bert_config.json", model_args={"trust_remote_code": True})
    with pytest.raises(WeightsError, match="trust_remote_code names code"):
        check_embedder(embedder)
