"""A tiny GPT-2 with random weights, written by Hugging Face's ``transformers``, and what it answers.

Run with a Python that has torch, transformers, tokenizers and safetensors:  python make.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

LEARNED_FROM = [
    "the cat sees a bird and the dog sees the cat; it's raining, isn't it? they've gone, we'll go, I'd say: 12 34 567",
    "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
    "def f(x):\n    return x  # twice\n",
    "naïve café – déjà vu",
]
TEXTS = {
    "english": "The cat's bird sees 1234 dogs, isn't it?",
    "chinese": "春眠不觉晓，处处闻啼鸟。",
    "emoji": "a 👩‍👩‍👧 🦄!",
    "spaces": "  two  blanks\n\n\tand a tab \u00a0 end   ",
}
MORE = [
    "",
    " ",
    "   ",
    "\n",
    "a\r\n b",
    "don't DON'T don’t 're 'RE 've'll'd",
    "x²½ ٣٤ Ⅷ ①",
    "e\u0301 \u0301 ＡＢＣ １２",
    "a\u3000b\u200b c\u200d\ufeff",
    "under_score __x__ ---",
    "𠀀𠀁 \x00\x01 \x1c\x1d\x85\u2028",
    "हिन्दी ไทย عربي 한국어 日本語カタカナ",
    "tabs\t\tand  more \t mixed",
    "<|endoftexT|> <",
]
LAST = 12  # places of a text whose logits are kept


def main(folder: Path) -> None:
    torch.manual_seed(7)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(LEARNED_FROM * 3, vocab_size=320, min_frequency=2, special_tokens=["<|endoftext|>"])
    tokenizer.save_model(str(folder))
    opened = GPT2TokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    border = opened.convert_tokens_to_ids("<|endoftext|>")
    config = GPT2Config(
        vocab_size=len(opened),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=4,
        layer_norm_epsilon=1e-3,
        bos_token_id=border,
        eos_token_id=border,
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for values in model.parameters():  # also shifts and biases, which begin as zeros
            values.add_(torch.randn_like(values) * 0.15)
    model.save_pretrained(folder)
    opened.save_pretrained(folder)
    whole = folder / "tokenizer.json"
    whole.write_text(json.dumps(json.loads(whole.read_text("utf-8")), separators=(",", ":")), encoding="utf-8")
    (folder / "generation_config.json").unlink()
    arrays, ids = {}, {}
    for name, text in TEXTS.items():
        ids[name] = opened(text)["input_ids"]
        with torch.no_grad():
            arrays[name] = model(torch.tensor([[border, *ids[name]]])).logits[0, -LAST:].contiguous()
    save_file(arrays, folder / "logits.safetensors")
    told = {
        "made_with": {"transformers": transformers.__version__, "torch": torch.__version__},
        "texts": TEXTS,
        "ids": ids,
        "more": [[text, opened(text)["input_ids"]] for text in MORE],
    }
    (folder / "answers.json").write_text(json.dumps(told, ensure_ascii=True, indent=0), encoding="utf-8")
    halves = {
        "bf16": torch.tensor([1.5, -2.0, 3.140625, 1e-30]).bfloat16(),
        "f16": torch.tensor([0.1, -65504.0]).half(),
    }
    save_file(halves, folder / "halves.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
