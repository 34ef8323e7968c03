"""What transformers, tokenizers, SentencePiece and llama.cpp make of texts and conversations.

Prints one object a line. Conversations are rendered by the machinery of `apply_chat_template`. Tokenizers are trained
once, on `tests/corpus.txt`, and kept under `tests/tokenizers/`; they are trained anew where they are missing. llama.cpp
takes part where NEARSIDE_LLAMA_CPP names a Python that has llama-cpp-python 0.3.36; otherwise what it said last stays.
"""

import json
import os
import pathlib
import subprocess
import sys
from datetime import datetime, timezone

import gguf
import jinja2
import sentencepiece
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.utils import chat_template_utils

TESTS = pathlib.Path("crates/nearside-models/tests")
KEPT = TESTS / "text.jsonl"
FOLDER = TESTS / "tokenizers"
NOW = 1_709_208_309

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def say(**line):
    print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


# Conversations.

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Says what the weather is like.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city, e.g. \"Zürich\""},
                "unit": {"type": "string", "description": "The unit", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
}
CALL = {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "unit": "celsius"}}}
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
HELLO = {"role": "user", "content": "Hello, who are you?"}
ANSWER = {"role": "assistant", "content": "  I am a program. \n"}
CONVERSATIONS = {
    "user": dict(messages=[HELLO], add=True),
    "system": dict(messages=[SYSTEM, HELLO], add=True),
    "turns": dict(messages=[SYSTEM, HELLO, ANSWER, {"role": "user", "content": " And\n\nyou? "}], add=True),
    "answered": dict(messages=[HELLO, ANSWER], add=False),
    "unicode": dict(messages=[{"role": "user", "content": "Grüße 😀 — \"quotes\" & <tags> 'it''s' \\ Ω 中文\n\ttab"}], add=True),
    "null": dict(messages=[{"role": "user", "content": "Hi", "name": None, "tool_calls": None}], add=True),
    "parts": dict(messages=[{"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": " this?"}]}], add=True),
    "disorder": dict(messages=[HELLO, HELLO, ANSWER], add=True),
    "stranger": dict(messages=[{"role": "narrator", "content": "Once upon a time"}], add=False),
    "empty": dict(messages=[], add=True),
    "tools": dict(messages=[SYSTEM, {"role": "user", "content": "Weather in Zürich?"}], tools=[WEATHER], add=True),
    "called": dict(
        messages=[
            {"role": "user", "content": "Weather in Zürich?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call00001", "name": "get_weather", "content": "{\"temperature\": 7.5}"},
        ],
        tools=[WEATHER],
        add=True,
    ),
    "reasoned": dict(
        messages=[HELLO, {"role": "assistant", "reasoning": "They greet.", "content": "<think>They greet.</think>\n\nHello!"}, {"role": "user", "content": "Bye"}],
        add=True,
        variables={"enable_thinking": False, "thinking": True},
    ),
}


class Clock(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(NOW, timezone.utc)


def templates():
    chat_template_utils.datetime = Clock
    for name, conversation in CONVERSATIONS.items():
        say(kind="conversation", name=name, now=NOW, **conversation)
    for path in sorted((TESTS / "templates").glob("*.jinja")):
        for name, conversation in CONVERSATIONS.items():
            say(kind="template", template=path.name, conversation=name, **rendered(path.read_text(), conversation))


def rendered(template, conversation):
    try:
        messages = chat_template_utils._normalize_chat_messages(json.loads(json.dumps(conversation["messages"])))
        texts, _ = chat_template_utils.render_jinja_template(
            conversations=[messages],
            tools=conversation.get("tools"),
            chat_template=template,
            add_generation_prompt=conversation["add"],
            bos_token="<s>",
            eos_token="</s>",
            **conversation.get("variables", {}),
        )
        return {"text": texts[0]}
    except jinja2.exceptions.UndefinedError:
        return {"fails": True}
    except jinja2.exceptions.TemplateError as error:
        return {"raises": str(error)}
    except (TypeError, ValueError, AttributeError, KeyError):
        return {"fails": True}


# Tokenizers.

CONTROL = ["<|begin|>", "<|end_of_text|>", "<|eot_id|>"]
ADDED = ["<tool_call>"]


def corpus():
    return (TESTS / "corpus.txt").read_bytes().decode()


def byte_level(pattern, ignore_merges):
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    steps = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)]
    if pattern is not None:
        steps.insert(0, pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=CONTROL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([corpus()], trainer)
    tokenizer.add_tokens([tokenizers.AddedToken(text, normalized=False) for text in ADDED])
    begin = tokenizer.token_to_id(CONTROL[0])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{CONTROL[0]} $A", special_tokens=[(CONTROL[0], begin)])
    return tokenizer


def word_piece():
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator([corpus()], trainers.WordPieceTrainer(vocab_size=1400, special_tokens=special, show_progress=False))
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


def piece_model(kind):
    path = FOLDER / f"{kind}.model"
    if not path.exists():
        sentencepiece.SentencePieceTrainer.train(
            input=str(TESTS / "corpus.txt"), model_prefix=str(path.with_suffix("")), model_type=kind, vocab_size=1400,
            byte_fallback=kind == "bpe", character_coverage=0.9995 if kind == "unigram" else 0.99,
            normalization_rule_name="identity", remove_extra_whitespaces=kind != "bpe",
            split_digits=kind == "bpe", allow_whitespace_only_pieces=kind == "bpe", minloglevel=2, max_sentence_length=65536,
            num_threads=1, user_defined_symbols=ADDED if kind == "bpe" else [],
        )
        path.with_suffix(".vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def from_pieces(kind):
    """The tokenizer that transformers makes of such a model: `SpmConverter`, `LlamaConverter`."""
    model = piece_model(kind)
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.vocab_size())]
    if kind == "bpe":
        vocabulary = {piece: i for i, (piece, _) in enumerate(pieces)}
        merges = []
        for piece, score in pieces:
            local = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in vocabulary and piece[i:] in vocabulary]
            local.sort(key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
            merges += [(score, pair) for pair in local]
        merges = [pair for _, pair in sorted(merges, key=lambda merge: -merge[0])]
        tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        tokenizer.add_tokens([tokenizers.AddedToken(text, normalized=False) for text in ADDED])
    else:
        tokenizer = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=model.unk_id(), byte_fallback=False))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(left=True, right=True), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    begin = [("<s>", 1)] if kind == "bpe" else [("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A" if kind == "bpe" else "$A </s>", special_tokens=begin)
    return tokenizer


def write_gguf(name, tokenizer, pre):
    path = FOLDER / f"{name}.gguf"
    if path.exists():
        return
    writer = gguf.GGUFWriter(str(path), "llama")
    kind = {"bpe": "llama", "unigram": "t5", "bert": "bert"}.get(name, "gpt2")
    writer.add_tokenizer_model(kind)
    vocabulary = sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda entry: entry[1])
    tokens, types, scores = [], [], []
    model = piece_model(name) if kind in ("llama", "t5") else None
    for text, i in vocabulary:
        special = (i in tokenizer.get_added_tokens_decoder()) and tokenizer.get_added_tokens_decoder()[i].special
        added = i in tokenizer.get_added_tokens_decoder() and not special
        type = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED if added else gguf.TokenType.NORMAL
        if model is not None:
            scores.append(model.get_score(i))
            if model.is_unknown(i):
                type = gguf.TokenType.UNKNOWN
            elif model.is_byte(i):
                type = gguf.TokenType.BYTE
        if kind == "bert" and not special:
            text = text[2:] if text.startswith("##") else "▁" + text
        tokens.append(text)
        types.append(type)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if scores:
        writer.add_token_scores(scores)
    if kind == "gpt2":
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        writer.add_token_merges([" ".join(merge) for merge in merges])
        writer.add_tokenizer_pre(pre)
        writer.add_bos_token_id(tokenizer.token_to_id(CONTROL[0]))
        writer.add_eos_token_id(tokenizer.token_to_id(CONTROL[1]))
        writer.add_add_bos_token(True)
    elif kind == "llama":
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(True)
        writer.add_add_space_prefix(True)
    elif kind == "t5":
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_eos_token(True)
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
    else:
        for name, call in (("[CLS]", writer.add_bos_token_id), ("[SEP]", writer.add_sep_token_id), ("[UNK]", writer.add_unk_token_id), ("[PAD]", writer.add_pad_token_id)):
            call(tokenizer.token_to_id(name))
    writer.add_chat_template("{{ messages[0].content }}")
    # The architecture is asked for by llama.cpp, and nothing of it is used.
    for key in ("context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count"):
        writer.add_uint32(f"llama.{key}", 32)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_uint32("llama.rope.dimension_count", 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


MAKERS = {
    "llama3": (lambda: byte_level(LLAMA3, True), "llama-bpe"),
    "qwen2": (lambda: byte_level(QWEN2, False), "qwen2"),
    "gpt2": (lambda: byte_level(None, False), "gpt-2"),
    "bpe": (lambda: from_pieces("bpe"), None),
    "unigram": (lambda: from_pieces("unigram"), None),
    "bert": (word_piece, None),
}


def texts():
    lines = [line for line in corpus().split("\n") if line]
    odd = [line for line in lines if line.split(":")[0] in ("Emoji", "Ligatures", "Combining", "Spaces", "Direction", "Mathematics", "Currency", "Quotes", "Long s", "Numbers", "Brackets")][:11]
    # One sentence of every script.
    scripts = [line[:90] for line in lines[:34]]
    own = ["", " ", "  ", "a", " a", "  a  b   c", "\n", "\n\n a\n\t\tb \r\n c", "Hello, world!", "I'LL it'ſ 'tis", "0123456789", "x" * 40, "\u0000\u0001\u007f", "e\u0301\ufeff\u200d", "🇩🇪👩‍👩‍👧‍👦", "ab " * 20, "a<tool_call>b <tool_call> c", "▁a ▁ b", "\ue000\U000e0001\U0010ffff"]
    code = corpus()[corpus().index("fn main") :][:600]
    return own + odd + scripts + [code]


CONTROLLED = ["<|begin|>a<|eot_id|> b", "<s>a</s> b <unk>", "[CLS] a [SEP] [UNK]", "<|eot_id|><|eot_id|>", "x<s>"]


def tokenization():
    FOLDER.mkdir(exist_ok=True)
    all_texts = texts()
    say(kind="texts", plain=all_texts, control=CONTROLLED)
    kept = {}
    if KEPT.exists():
        for line in map(json.loads, KEPT.read_text().splitlines()):
            if line["kind"] == "tokenizer":
                kept[line["name"]] = line.get("llama_cpp")
    for name, (make, pre) in MAKERS.items():
        path = FOLDER / f"{name}.json"
        if not path.exists():
            make().save(str(path), pretty=False)
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        write_gguf(name, tokenizer, pre)
        line = {"kind": "tokenizer", "name": name, "size": tokenizer.get_vocab_size()}
        tokenizer.encode_special_tokens = True
        line["plain"] = [tokenizer.encode(text).ids for text in all_texts]
        line["decoded"] = [tokenizer.decode(ids) for ids in line["plain"]] if name != "unigram" else None
        tokenizer.encode_special_tokens = False
        line["control"] = [tokenizer.encode(text).ids for text in CONTROLLED]
        if name in ("bpe", "unigram"):
            ids = piece_model(name).encode(all_texts)
            line["sentencepiece"] = difference(line["plain"], [[1] + i if name == "bpe" else i + [2] for i in ids])
        said = llama_cpp(FOLDER / f"{name}.gguf", all_texts)
        line["llama_cpp"] = kept.get(name) if said is None else difference(line["plain"], said)
        say(**line)


def difference(first, second):
    """Which texts have other tokens in the second, and which ones."""
    return {str(i): b for i, (a, b) in enumerate(zip(first, second)) if a != b}


def llama_cpp(path, all_texts):
    python = os.environ.get("NEARSIDE_LLAMA_CPP")
    if python is None:
        return None
    script = (
        "import sys, json, llama_cpp\n"
        "m = llama_cpp.Llama(sys.argv[1], vocab_only=True, verbose=False)\n"
        "print(json.dumps([m.tokenize(t.encode(), add_bos=True, special=False) for t in json.load(sys.stdin)]))"
    )
    made = subprocess.run([python, "-c", script, str(path)], input=json.dumps(all_texts), capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"llama.cpp on {path}: {made.stderr[-2000:]}")
    return json.loads(made.stdout)


templates()
tokenization()
