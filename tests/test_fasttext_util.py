"""``fasttext.util``: files come whole or not at all, and what goes wrong is said; the other functions against their definitions."""

from __future__ import annotations

import gzip
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from erya import fasttext
from erya.errors import DataError, ResourceError, UsageError
from erya.fasttext import util

GOLDEN = Path(__file__).parent / "golden_fasttext"
NAME = "cc.fr.300.bin"


class _Server(BaseHTTPRequestHandler):
    """Gives what ``files`` holds; ``short``: announces more than it sends."""

    def __init__(self, files, asked, short, *rest):
        self.files, self.asked, self.short = files, asked, short
        super().__init__(*rest)

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.asked.append(name)
        if name not in self.files:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.files[name]) + (100 if name in self.short else 0)))
        self.end_headers()
        self.wfile.write(self.files[name])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    files, asked, short = {f"{NAME}.gz": gzip.compress((GOLDEN / "skipgram.bin").read_bytes())}, [], set()
    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, files, asked, short))
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(util, "ADDRESS", f"http://127.0.0.1:{running.server_port}/vectors-crawl/")
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield files, asked, short
    running.shutdown()
    running.server_close()
    thread.join()


def test_a_model_is_fetched_and_unpacked(server, capsys):
    _, asked, _ = server
    assert fasttext.util.download_model("fr") == NAME
    assert "MB  100.0 %" in capsys.readouterr().err
    assert "the" in fasttext.load_model(NAME)
    assert asked == [f"{NAME}.gz"]


def test_what_is_there_is_taken_or_fetched_anew(server, capsys):
    _, asked, _ = server
    Path(NAME).write_bytes(b"mine")
    assert util.download_model("fr") is None
    assert "exists" in capsys.readouterr().err
    assert util.download_model("fr", if_exists="ignore") == NAME
    assert Path(NAME).read_bytes() == b"mine"
    assert asked == []
    assert util.download_model("fr", if_exists="overwrite") == NAME
    assert Path(NAME).read_bytes() == (GOLDEN / "skipgram.bin").read_bytes()
    Path(NAME).unlink()
    assert util.download_model("fr") is None  # the archive is there
    assert util.download_model("fr", if_exists="ignore") == NAME
    assert len(asked) == 1


def test_nothing_stands_that_did_not_come_whole(server):
    files, _, short = server
    short.add(f"{NAME}.gz")
    with pytest.raises((DataError, ResourceError)):
        util.download_model("fr")
    assert list(Path().iterdir()) == []
    short.clear()
    files[f"{NAME}.gz"] = files[f"{NAME}.gz"][:-20]
    with pytest.raises(DataError):
        util.download_model("fr")
    assert not Path(NAME).exists()


def test_a_bomb_is_refused(server, monkeypatch):
    files, _, _ = server
    monkeypatch.setattr(util, "LARGEST", 1 << 20)
    files[f"{NAME}.gz"] = gzip.compress(bytes(8 << 20))
    with pytest.raises(DataError):
        util.download_model("fr")
    assert not Path(NAME).exists()


def test_what_goes_wrong_is_said(server, monkeypatch):
    files, _, _ = server
    files.clear()
    with pytest.raises(ResourceError, match="404"):
        util.download_model("fr")
    monkeypatch.setattr(util, "ADDRESS", "http://127.0.0.1:9/")
    with pytest.raises(ResourceError) as caught:
        util.download_model("fr")
    assert caught.value.code == "no-network"
    assert f"{NAME}.gz" in caught.value.help
    with pytest.raises(UsageError, match="klingon"):
        util.download_model("klingon")
    with pytest.raises(UsageError, match="perhaps"):
        util.download_model("fr", if_exists="perhaps")


def test_the_nearest_of_many():
    generator = np.random.default_rng(0)
    vectors, query = (
        generator.standard_normal((50, 7)).astype(np.float32),
        generator.standard_normal(7).astype(np.float32),
    )
    ranked = np.argsort(-(vectors @ query)).tolist()
    room = np.empty(50, dtype=np.float32)
    assert util.find_nearest_neighbor(query, vectors, set(), cossims=room) == ranked[0]
    np.testing.assert_allclose(room, vectors @ query, rtol=1e-6)
    assert util.find_nearest_neighbor(query, vectors, {ranked[0], ranked[1]}) == ranked[2]
    with pytest.raises(UsageError):
        util.find_nearest_neighbor(query, vectors, set(range(50)))


def test_precision_and_recall_of_lists():
    assert util.test([["a", "b"], ["c", "a"]], [{"a"}, {"c", "b", "a"}], k=2) == (3 / 4, 3 / 4)
    assert util.test([["x"]], [["a"]]) == (0.0, 0.0)
    with pytest.raises(UsageError):
        util.test([], [])


@pytest.mark.parametrize(("verbose", "shown"), [(0, False), (1, False), (2, True), (None, True)])
def test_verbose_shows_the_originals_line(tmp_path, capfd, verbose, shown):
    text = tmp_path / "t.txt"
    text.write_text("__label__tea green tea\n__label__soup hot soup\n" * 20, encoding="utf-8")
    settings = {} if verbose is None else {"verbose": verbose}
    fasttext.train_supervised(str(text), dim=4, epoch=2, **settings)
    told = capfd.readouterr()
    assert told.out == ""
    assert ("Progress: 100.0%" in told.err) is shown
    assert ("ETA:" in told.err) is shown
    fasttext.train_unsupervised(str(text), dim=4, epoch=1, minCount=1, bucket=100, **settings)
    assert ("Progress: 100.0%" in capfd.readouterr().err) is shown


def test_a_search_shows_its_trials(tmp_path, capfd):
    text = tmp_path / "t.txt"
    text.write_text("__label__tea green tea\n__label__soup hot soup\n" * 20, encoding="utf-8")
    fasttext.train_supervised(str(text), epoch=1, dim=3, bucket=100, verbose=0)  # compiles, which is no trial
    fasttext.train_supervised(
        str(text), autotuneValidationFile=str(text), autotuneDuration=4, epoch=1, dim=3, bucket=100
    )
    told = capfd.readouterr().err
    assert told.count("Trials:") > 1  # a line each, since this is no terminal
    assert "words/sec" not in told


def test_word_vectors_begin_with_others(tmp_path):
    """As in the original: words of the file join the dictionary, what is not met in the text stays as it was."""
    text, table = tmp_path / "t.txt", tmp_path / "v.vec"
    text.write_text("green tea with hot soup\n" * 50, encoding="utf-8")
    table.write_text("2 4\nghost 1 2 3 4\ntea 0.5 0.5 0.5 0.5\n", encoding="utf-8")
    settings = {"dim": 4, "epoch": 1, "minCount": 1, "maxn": 0, "t": 1.0, "verbose": 0}
    model = fasttext.train_unsupervised(str(text), pretrainedVectors=str(table), **settings)
    assert {"ghost", "tea", "soup"} <= set(model.words)
    np.testing.assert_array_equal(model["ghost"], [1, 2, 3, 4])
    assert 0 < np.abs(model["tea"] - 0.5).max() < 0.4
    assert "ghost" not in fasttext.train_unsupervised(str(text), **settings)


def test_a_place_that_is_none_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        fasttext.load_model(GOLDEN / "softmax-plain.bin").save_model(tmp_path / "nowhere" / "m.bin")
