"""Encoders: the contract, the bundled model, and directories that users bring."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder, verify_files
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput, Unusable

SENTENCES = [
    "Where is the spare key?",
    "The spare key hangs behind the kitchen door.",
    "no",
    "Deployments happen on Tuesdays, after the backup has finished.",
    "",
    "Die Katze schläft.",
    "東京は日本の首都です。",
    "one two three four five six seven eight nine ten " * 9,
    "The port is 9090, not 8080.",
    "He said \x00 nothing \ud800 at all \udfff.",
]


@pytest.fixture(params=["hashing", pytest.param("bundled", marks=pytest.mark.model)])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return HashingEncoder() if request.param == "hashing" else request.getfixturevalue("bundled")


class TestEveryEncoder:
    def test_vectors_have_unit_length_and_the_promised_shape(self, encoder: Encoder) -> None:
        vectors = encoder.encode(SENTENCES)

        assert vectors.shape == (len(SENTENCES), encoder.dimensions)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_a_text_has_the_same_vector_alone_and_in_any_batch(self, encoder: Encoder) -> None:
        alone = {text: encoder.encode([text])[0].tobytes() for text in SENTENCES}
        shuffler = random.Random(7)
        for _ in range(5):
            batch = shuffler.choices(SENTENCES, k=60)

            vectors = encoder.encode(batch)

            assert [vector.tobytes() for vector in vectors] == [alone[text] for text in batch]

    def test_a_question_and_a_passage_of_the_same_words_meet(self, encoder: Encoder) -> None:
        question = encoder.encode_query(SENTENCES[1])

        assert question.shape == (encoder.dimensions,)
        assert int(np.argmax(encoder.encode(SENTENCES) @ question)) == 1

    def test_no_texts_give_no_vectors(self, encoder: Encoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dimensions)
        assert encoder.measure([]) == []

    def test_token_states_lead_back_to_the_text(self, encoder: Encoder) -> None:
        text = "Deployments happen on Tuesdays"

        states = encoder.measure([text, ""])

        assert states[0].states is not None
        assert states[1].states is not None
        assert states[0].states.shape == (len(states[0].spans), encoder.dimensions)
        words = {text[start:end] for start, end in states[0].spans}
        assert {"happen", "on"} <= words
        assert (states[1].states.shape, states[1].spans) == ((0, encoder.dimensions), [])

    def test_the_identity_is_the_same_for_the_same_encoder(self, encoder: Encoder) -> None:
        assert encoder.identity == encoder.identity
        assert encoder.identity != HashingEncoder(128).identity


@pytest.mark.model
class TestTheBundledModel:
    def test_its_files_are_those_that_were_recorded(self, bundled: Encoder) -> None:
        assert verify_files(bundled_model_directory()) == []

    def test_a_flipped_byte_is_found(self, bundled: Encoder, tmp_path: Path) -> None:
        directory = Path(
            shutil.copytree(bundled_model_directory(), tmp_path / "model", ignore=shutil.ignore_patterns(".*"))
        )
        content = bytearray((directory / "model.onnx.data").read_bytes())
        content[1_000_000] ^= 1
        (directory / "model.onnx.data").write_bytes(content)
        (directory / "tokenizer.json").unlink()

        problems = verify_files(directory)

        assert [problem.partition(" is ")[0] for problem in problems] == [
            str(directory / "model.onnx.data"),
            str(directory / "tokenizer.json"),
        ]

    def test_padding_and_company_change_no_bit_of_a_text(self, bundled: Encoder) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(bundled_model_directory() / "model.onnx")
        for length in (2, 3, 9, 17, 40):
            ids = np.arange(1000, 1000 + length)[None]
            vector, states = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            for padding in (1, 7, 30, 101):
                wide = np.zeros((3, length + padding), np.int64)
                mask = np.zeros_like(wide)
                wide[1, :length], mask[1, :length] = ids, 1
                wide[2], mask[2] = 2000, 1
                mask[0, :1] = 1

                vectors, padded = session.run(None, {"input_ids": wide, "attention_mask": mask})

                assert vectors[1].tobytes() == vector[0].tobytes()
                assert padded[1, :length].tobytes() == states[0].tobytes()

    def test_meaning_outweighs_words(self, bundled: Encoder) -> None:
        question = bundled.encode_query("My pet is ill")

        near, far = bundled.encode(["The dog has a fever and needs a vet.", "My car is old."]) @ question

        assert near > far

    def test_the_end_of_a_long_text_counts(self, bundled: Encoder) -> None:
        filler = "The minutes of the meeting were read and approved by everyone present. " * 120
        text = filler + "The treasurer hid the gold under the old oak. " * 30
        question = bundled.encode_query("Where is the gold?")

        with_tail, without = bundled.encode([text, filler])

        assert with_tail @ question > without @ question + 0.1

    def test_token_states_cover_a_long_text(self, bundled: Encoder) -> None:
        text = "water " * 1000 + "end"

        states = bundled.measure([text])[0]

        assert states.states is not None
        assert len(states.spans) == len(states.states) == 1001
        assert states.spans[-1] == (6000, 6003)

    def test_threads_share_it(self, bundled: Encoder) -> None:
        from concurrent.futures import ThreadPoolExecutor

        expected = bundled.encode(SENTENCES).tobytes()
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: bundled.encode(SENTENCES).tobytes(), range(12)))

        assert set(results) == {expected}


class TestHashing:
    def test_its_vectors_never_change(self) -> None:
        vector = HashingEncoder(16).encode_query("The port is 9090")

        expected = [
            0.365148,
            0.547723,
            0.365148,
            -0.365148,
            -0.182574,
            0.182574,
            0.182574,
            -0.182574,
            0.0,
            0.182574,
            0.0,
            0.182574,
            0.182574,
            0.182574,
            -0.182574,
            0.0,
        ]
        np.testing.assert_allclose(vector, expected, atol=1e-6)

    def test_shared_words_and_spellings_bring_texts_together(self) -> None:
        encoder = HashingEncoder()
        question = encoder.encode_query("deploying on Tuesday")

        near, far = encoder.encode(["We deploy every Tuesday", "The cat sleeps"]) @ question

        assert near > far + 0.2

    def test_a_directory_can_ask_for_it(self, tmp_path: Path) -> None:
        (tmp_path / "encoder.json").write_text('{"runtime": "hashing", "name": "tiny", "dimensions": 64}')

        assert load_encoder(tmp_path).identity == HashingEncoder(64, name="tiny").identity

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"dimensions": "64"}, "dimensions must be a whole number"),
            ({"dimensions": 0}, "dimensions must be at least 1"),
            ({"name": 3}, "name must be a string"),
            ({"pooling": "mean"}, "unknown field pooling"),
        ],
    )
    def test_wrong_fields_are_named(self, tmp_path: Path, fields: dict[str, object], complaint: str) -> None:
        (tmp_path / "encoder.json").write_text(json.dumps({"runtime": "hashing", **fields}))

        with pytest.raises(InvalidInput, match=complaint):
            load_encoder(tmp_path)


WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "query", ":", "red", "green", "blue"]
Bring = Callable[..., Path]


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """Makes a directory with a model whose token states are rows of the identity matrix, one for each word it knows."""
    onnx = pytest.importorskip("onnx")
    tokenizers = pytest.importorskip("tokenizers")

    def make(takes: tuple[str, ...] = ("input_ids",), kind: str = "INT64", **fields: Any) -> Path:
        helper = onnx.helper
        table = onnx.numpy_helper.from_array(np.eye(len(WORDS), dtype=np.float32), "table")
        number = getattr(onnx.TensorProto, kind)
        graph = helper.make_graph(
            [
                helper.make_node("Gather", ["table", takes[0]], ["states"]),
                helper.make_node("ReduceMax", ["states"], ["best"], axes=[1], keepdims=0),
            ],
            "tiny",
            [helper.make_tensor_value_info(name, number, ["batch", "tokens"]) for name in takes],
            [
                helper.make_tensor_value_info("states", onnx.TensorProto.FLOAT, ["batch", "tokens", len(WORDS)]),
                helper.make_tensor_value_info("best", onnx.TensorProto.FLOAT, ["batch", len(WORDS)]),
            ],
            initializer=[table],
        )
        onnx.save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10),
            tmp_path / "model.onnx",
        )
        tokenizer = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]")
        )
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            "[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        tokenizer.enable_padding(length=32)
        tokenizer.enable_truncation(4)
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        description = {
            "name": "tiny",
            "dimensions": len(WORDS),
            "pooling": "mean",
            "outputs": {"states": "states"},
            **fields,
        }
        (tmp_path / "encoder.json").write_text(
            json.dumps({key: value for key, value in description.items() if value is not None})
        )
        return tmp_path

    return make


def _weights(vector: np.ndarray[Any, Any]) -> dict[str, float]:
    """What a vector of the tiny model says about each word, relative to the greatest."""
    return {word: round(float(value / vector.max()), 3) for word, value in zip(WORDS, vector, strict=True) if value}


class TestADirectoryThatAUserBrings:
    def test_mean_pooling_counts_every_token(self, bring: Bring) -> None:
        vector = load_encoder(bring()).encode(["red red green"])[0]

        assert _weights(vector) == {"[CLS]": 0.5, "[SEP]": 0.5, "red": 1.0, "green": 0.5}

    def test_cls_pooling_takes_the_first_token_and_last_pooling_the_last(self, bring: Bring) -> None:
        assert _weights(load_encoder(bring(pooling="cls")).encode(["red"])[0]) == {"[CLS]": 1.0}
        assert _weights(load_encoder(bring(pooling="last")).encode(["red"])[0]) == {"[SEP]": 1.0}

    def test_prefixes_go_before_questions_and_passages(self, bring: Bring) -> None:
        encoder = load_encoder(bring(query_prefix="query: "))

        assert _weights(encoder.encode_query("red")) == {"[CLS]": 1.0, "query": 1.0, ":": 1.0, "red": 1.0, "[SEP]": 1.0}
        assert _weights(encoder.encode(["red"])[0]) == {"[CLS]": 1.0, "red": 1.0, "[SEP]": 1.0}

    def test_the_prefix_is_read_in_every_window_and_is_no_part_of_the_token_states(self, bring: Bring) -> None:
        encoder = load_encoder(bring(passage_prefix="query: ", max_tokens=6))

        vector = encoder.encode(["red green blue"])[0]
        states = encoder.measure(["red green blue"])[0]

        assert states.states is not None
        assert states.vector.tobytes() == vector.tobytes()
        assert _weights(vector)["query"] == 1.0
        assert {"red", "green", "blue"} <= set(_weights(vector))
        assert states.spans == [(0, 3), (4, 9), (10, 14)]
        assert [WORDS[row] for row in states.states.argmax(axis=1)] == ["red", "green", "blue"]

    def test_whatever_standard_inputs_the_model_has_are_fed(self, bring: Bring) -> None:
        encoder = load_encoder(bring(takes=("input_ids", "attention_mask", "token_type_ids"), kind="INT32"))

        assert _weights(encoder.encode(["blue"])[0])["blue"] == 1.0

    def test_inputs_of_other_names_can_be_named(self, bring: Bring) -> None:
        encoder = load_encoder(bring(takes=("words",), inputs={"ids": "words", "mask": None}))

        assert _weights(encoder.encode(["blue"])[0])["blue"] == 1.0

    def test_a_model_may_pool_by_itself(self, bring: Bring) -> None:
        vector = load_encoder(bring(pooling="graph", outputs={"vector": "best"})).encode(["red red green"])[0]

        assert _weights(vector) == {"[CLS]": 1.0, "[SEP]": 1.0, "red": 1.0, "green": 1.0}

    def test_the_identity_changes_with_what_shapes_the_vectors(self, bring: Bring) -> None:
        first = load_encoder(bring()).identity
        again = load_encoder(bring()).identity
        other = load_encoder(bring(query_prefix="query: ")).identity

        assert first == again
        assert other != first

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"dimensions": 5}, "dimensions is 5, but the model's vectors have shape"),
            ({"dimensions": "9"}, "dimensions must be a whole number"),
            ({"dimensions": True}, "dimensions must be a whole number"),
            ({"dimensions": None}, "dimensions is missing"),
            ({"name": None}, "name is missing"),
            ({"pooling": "max"}, "pooling 'max' is unknown, there are mean, cls, last, graph"),
            ({"pooling": "graph"}, "pooling 'graph' needs outputs.vector"),
            ({"outputs": {"states": "hidden"}}, "outputs.states is hidden, but the model has states, best"),
            ({"outputs": ["states"]}, "outputs must be an object"),
            ({"outputs": {"state": "states"}}, "unknown field outputs.state,"),
            ({"inputs": {"ids": 4}}, "inputs.ids must be a string or null"),
            ({"inputs": {"ids": "input_ids", "mask": "attention_mask"}}, "the model has no input attention_mask"),
            ({"inputs": {}}, "does not say what the model's input input_ids is"),
            ({"temperature": 1}, "unknown field temperature"),
            ({"files": {"model.onnx": "abc"}}, "files.model.onnx must be a SHA-256"),
            ({"runtime": "torch"}, "runtime 'torch' is unknown, there are onnx, hashing"),
        ],
    )
    def test_a_field_that_cannot_be_used_is_named(
        self, bring: Bring, fields: dict[str, object], complaint: str
    ) -> None:
        directory = bring(**fields)

        with pytest.raises(InvalidInput, match=complaint):
            load_encoder(directory)

    @pytest.mark.parametrize("name", ["encoder.json", "model.onnx", "tokenizer.json"])
    def test_a_missing_file_is_named(self, bring: Bring, name: str) -> None:
        directory = bring()
        (directory / name).unlink()

        with pytest.raises(Unusable, match=name):
            load_encoder(directory)

    @pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
    def test_a_damaged_file_is_named(self, bring: Bring, name: str) -> None:
        directory = bring()
        (directory / name).write_bytes(b"not what it was")

        with pytest.raises(Unusable, match=name):
            load_encoder(directory)

    @pytest.mark.parametrize("content", ["[]", "{", '"onnx"'])
    def test_an_encoder_json_that_is_no_object_is_refused(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "encoder.json").write_text(content)

        with pytest.raises(InvalidInput, match=r"encoder\.json"):
            load_encoder(tmp_path)

    def test_a_model_without_token_states_still_gives_vectors(self, bring: Bring) -> None:
        encoder = load_encoder(bring(pooling="graph", outputs={"vector": "best"}))

        reading = encoder.measure(["red"])[0]

        assert reading.states is None
        assert reading.vector.tobytes() == encoder.encode(["red"])[0].tobytes()
