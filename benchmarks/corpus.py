"""From bytes to ids: words a second of one core, whole job (read, count, sort the vocabulary, write the ids).

    python -m benchmarks.corpus

On English Wikipedia (../shared/data, unpacked first) as it is and reduced to ASCII, with one thread and with all; beside it the
packed file, and the same job in plain Python with the tokenizer the scan stands in for. Writes ``results/corpus.json``.
"""

from __future__ import annotations

import lzma
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import results_file
from erya import machine
from erya.text import Words
from erya.text.corpus import encode
from erya.text.phrases import learn_phrases

RUNS = 5


def encoded(path: Path, tokenizer: str, threads: int) -> dict[str, float]:
    """Median seconds of the whole job, tokens and words a second."""
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        corpus = encode(path, tokenizer=tokenizer, threads=threads)
        seconds.append(time.perf_counter() - begin)
        tokens, words = corpus.tokens, len(corpus.words)
        corpus.close()
    median = statistics.median(seconds)
    return {"seconds": median, "tokens": tokens, "words": words, "tokens_per_second": tokens / median}


def in_python(path: Path, lines: int = 5000) -> float:
    """Tokens a second of the tokenizer and a Counter, on the first lines."""
    tokenizer = Words(punctuation=False)
    with path.open(encoding="utf-8") as file:
        texts = [text for _, text in zip(range(lines), file, strict=False)]
    begin = time.perf_counter()
    lists = [tokenizer.tokens(text) for text in texts]
    seen = Counter(token for tokens in lists for token in tokens)
    index = {word: number for number, (word, _) in enumerate(seen.most_common())}
    ids = [[index[token] for token in tokens] for tokens in lists]
    return sum(map(len, ids)) / (time.perf_counter() - begin)


def main() -> None:
    folder = results_file.SHARED / "wiki_en"
    packed = sorted(folder.glob("train-*.txt.xz"))
    learn_phrases(encode(["warm up: compile", "é"], min_count=1))
    document: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        plain, ascii_only = Path(name) / "wiki.txt", Path(name) / "ascii.txt"
        text = b"".join(lzma.decompress(path.read_bytes()) for path in packed)
        plain.write_bytes(text)
        ascii_only.write_bytes(text.decode().encode("ascii", "ignore"))
        del text
        for kind, path, tokenizer in (
            ("ascii", ascii_only, "words"),
            ("ascii_whitespace", ascii_only, "whitespace"),
            ("wikipedia", plain, "words"),
            ("wikipedia_characters", plain, "characters"),
        ):
            for threads in sorted({1, machine.threads()}):
                document[f"{kind}_{threads}"] = encoded(path, tokenizer, threads)
        document["packed_1"] = encoded(packed[0], "words", 1)
        document["python_tokens_per_second"] = in_python(plain)
        corpus = encode(plain)
        begin = time.perf_counter()
        found = learn_phrases(corpus)
        document["phrases"] = {"seconds": time.perf_counter() - begin, "tokens": corpus.tokens, "phrases": len(found)}
    for kind, row in document.items():
        if isinstance(row, dict) and "tokens_per_second" in row:
            print(f"{kind:24s} {row['tokens_per_second'] / 1e6:6.1f} M tokens/s   {row['words']:,} words")
    print(f"{'plain Python':24s} {document['python_tokens_per_second'] / 1e6:6.1f} M tokens/s")
    print(f"{'phrases':24s} {document['phrases']['tokens'] / document['phrases']['seconds'] / 1e6:6.1f} M tokens/s")
    results_file.write("corpus", document)


if __name__ == "__main__":
    main()
