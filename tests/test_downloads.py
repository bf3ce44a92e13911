"""The order of sources without a folder: prepared copy, download, stand-in; over loopback, for real."""

import contextlib
import hashlib
import http.server
import os
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kerashw.__main__ import main
from kerashw.datasets import KNOWN, load
from kerashw.datasets.network import why_no_answer
from kerashw.errors import UsageError, WorkError

REAL = os.environ.get("KERASHW_DATA_DIR")
needs_real_files = pytest.mark.skipif(not REAL, reason="set KERASHW_DATA_DIR to a folder with mnist/")


class Server(http.server.ThreadingHTTPServer):
    """A server on loopback that counts requests and answers each by `answer(handler)`."""

    daemon_threads = True

    def __init__(self, answer):
        self.asked = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                answer(self)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()      # seconds to be told to stop

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def stop(self):
        self.shutdown()
        self.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def at(monkeypatch, tmp_path):
    """Point the builder of a data set to a URL, and tensorflow-datasets to an empty folder."""
    from tensorflow_datasets.image_classification import mnist

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def point(name, url):
        monkeypatch.setattr(getattr(mnist, KNOWN[name].builder), "URL", url)

    return point


def content(handler, body, declared=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if declared is None else declared))
    handler.end_headers()
    handler.wfile.write(body)


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def silent_port():
    """A listener whose connections open, as the kernel accepts them, and are never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_without_a_network_a_stand_in_is_said_loudly_in_one_line(at, capsys):
    at("mnist", f"http://127.0.0.1:{closed_port()}/")
    said = []
    data = load("mnist", say=said.append)
    assert data.stand_in and data.source == "stand-in: scikit-learn's digits drawn at 28x28"
    assert len(said) == 1 and "\n" not in said[0]
    assert said[0].startswith("STAND-IN DATA for mnist: scikit-learn's digits")
    assert "--data-dir" in said[0] and "no connection to 127.0.0.1" in said[0]
    assert capsys.readouterr().out == ""


def test_a_stand_in_is_said_on_stderr_unless_told_otherwise(at, capsys):
    at("fashion", f"http://127.0.0.1:{closed_port()}/")
    assert load("fashion").classes == KNOWN["fashion"].classes
    output = capsys.readouterr()
    assert output.out == "" and "STAND-IN DATA for fashion: generated garments" in output.err


def test_a_host_that_never_answers_costs_three_seconds(at, silent_port):
    at("fashion", f"http://127.0.0.1:{silent_port}/")
    said, start = [], time.monotonic()
    assert load("fashion", say=said.append).stand_in
    assert time.monotonic() - start < 8            # three of them waiting; the rest drawing, on a busy machine
    assert "no answer from 127.0.0.1 within 3 seconds" in said[0]


def test_a_name_look_up_that_hangs_is_not_waited_for(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30))
    start = time.monotonic()
    assert why_no_answer("http://localhost:9/", seconds=0.3) == "no answer from localhost within 0.3 seconds"
    assert time.monotonic() - start < 2
    released.set()


def test_a_host_that_drips_its_headers_is_not_waited_for(serve):
    def drip(handler):
        for _ in range(40):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.05)

    start = time.monotonic()
    assert "no answer" in why_no_answer(serve(drip).url, seconds=0.4)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_host_that_refuses_counts_as_no_network(serve, at, status):
    at("fashion", serve(lambda handler: handler.send_error(status)).url)
    said = []
    assert load("fashion", say=said.append).stand_in
    assert f"answered {status}" in said[0]


def test_a_stand_in_that_is_not_allowed_is_refused_with_the_way_out(at):
    at("mnist", f"http://127.0.0.1:{closed_port()}/")
    with pytest.raises(UsageError, match="no real data for mnist: no connection to 127.0.0.1.*--data-dir"):
        load("mnist", allow_stand_in=False)
    with pytest.raises(UsageError, match="no real data for regression: it has no download.*--data-dir"):
        load("regression", allow_stand_in=False)


def break_off(handler):
    content(handler, b"\x1f\x8b" + bytes(1000), declared=5000)
    handler.close_connection = True


def wrong_content(handler):
    content(handler, b"not what was asked for")


def sign_in_page(handler):
    content(handler, b"<html>Welcome to our hotel. Please sign in.</html>")


def nothing(handler):
    content(handler, b"\x1f\x8b" if "t10k-labels" in handler.path else b"")


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(ConnectionError):
        while True:
            handler.wfile.write(bytes(1 << 16))


def no_http(handler):
    if "t10k-labels" in handler.path and len(handler.server.asked) == 1:
        return content(handler, b"\x1f\x8b")
    handler.wfile.write(b"\0" * 99)
    handler.close_connection = True


def round_and_round(handler):
    if "t10k-labels" in handler.path and len(handler.server.asked) == 1:
        return content(handler, b"\x1f\x8b")
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


REASONS = {
    break_off: "IncompleteRead", wrong_content: "a wrong checksum", sign_in_page: "a wrong checksum",
    nothing: "a wrong checksum", endless: "more than the limit of 1 MiB was sent", no_http: "BadStatusLine",
    round_and_round: "redirects",
}  # fmt: skip


@pytest.mark.parametrize("answer", REASONS)
def test_a_bad_download_is_one_line_and_leaves_nothing_behind(serve, at, tmp_path, capsys, monkeypatch, answer):
    monkeypatch.setattr("kerashw.datasets.downloads.LARGEST", 1 << 20)
    server = serve(answer)
    at("mnist", server.url)
    said = []
    with pytest.raises(WorkError) as error:
        load("mnist", say=said.append)
    text = str(error.value)
    assert "\n" not in text and len(text) < 500
    assert text.startswith(f"the download of mnist from {server.url} failed (") and "--data-dir" in text
    assert REASONS[answer] in text, text
    output = capsys.readouterr()
    assert output.out == output.err == "" and said[0].startswith("downloading MNIST")
    deadline = time.monotonic() + 20               # the other files of the same download end just after
    while (left := [path for path in (tmp_path / "prepared").rglob("*") if path.is_file()]):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_a_server_that_falls_silent_in_mid_download_is_given_up(serve, at, monkeypatch):
    monkeypatch.setattr("kerashw.datasets.downloads.TIMEOUTS", (1, 1))
    released = threading.Event()

    def stall(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b"\x1f\x8b")
        released.wait(30)

    at("mnist", serve(stall).url)
    start = time.monotonic()
    with pytest.raises(WorkError, match="failed .*timed out"):
        load("mnist", say=lambda line: None)
    assert time.monotonic() - start < 15
    released.set()


def test_a_command_whose_download_breaks_off_exits_1_with_one_line_and_begins_no_run(
    serve, at, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("KERASHW_DATA_DIR", raising=False)
    at("mnist", serve(break_off).url)
    before = sorted(tmp_path.iterdir())
    assert main(["tune", "--task", "mnist", "--out", str(tmp_path / "runs")]) == 1
    out, err = capsys.readouterr()
    assert out == "" and [line.split()[0] for line in err.splitlines()] == ["downloading", "kerashw:"]
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "prepared"] == before


def test_a_damaged_description_of_a_prepared_copy_is_named(at, tmp_path):
    at("mnist", f"http://127.0.0.1:{closed_port()}/")
    folder = tmp_path / "prepared" / "mnist" / "3.0.1"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(WorkError, match="for MNIST .* in .*prepared cannot be read .*remove its folder"):
        load("mnist")


def test_downloading_restores_what_it_changed_in_tensorflow_datasets(serve, at):
    from tensorflow_datasets.core.download import downloader
    from tensorflow_datasets.core.utils import tqdm_utils

    before = downloader._open_url, downloader.MAX_RETRIES, tqdm_utils._active, sys.stdout
    at("fashion", serve(wrong_content).url)
    with pytest.raises(WorkError):
        load("fashion", say=lambda line: None)
    assert (downloader._open_url, downloader.MAX_RETRIES, tqdm_utils._active, sys.stdout) == before


@pytest.mark.slow
@needs_real_files
def test_real_files_are_downloaded_verified_prepared_and_found_again_offline(serve, at, tmp_path, capsys):
    folder = Path(REAL, "mnist")
    server = serve(lambda handler: content(handler, (folder / handler.path.strip("/")).read_bytes()))
    at("mnist", server.url)
    said = []
    first = load("mnist", say=said.append)
    assert len(said) == 1 and said[0].startswith("downloading MNIST handwritten digits from http://127.0.0.1")
    assert sorted(set(server.asked)) == sorted("/" + path.name for path in folder.glob("*.gz"))
    server.stop()
    start = time.monotonic()
    again = load("mnist", say=said.append)
    assert len(said) == 1 and time.monotonic() - start < 60
    assert again.source == "tensorflow-datasets" and not again.stand_in
    assert again.digest == first.digest
    assert capsys.readouterr().out == ""
    _check_same_items(again)
    _check_damage_is_named(tmp_path)


def _check_same_items(again):
    from_folder = load("mnist", REAL)              # the same items, in another order

    def fingerprints(data):
        return sorted(hashlib.md5(bytes([label]) + image.tobytes()).digest()
                      for image, label in zip(data.x_train, data.y_train))

    assert again.sizes == from_folder.sizes == (60_000, 10_000)
    assert np.array_equal(np.bincount(again.y_test), np.bincount(from_folder.y_test))
    assert fingerprints(again) == fingerprints(from_folder)


def _check_damage_is_named(tmp_path):
    record = next((tmp_path / "prepared").rglob("*test.tfrecord*"))
    record.write_bytes(record.read_bytes()[:100_000])
    with pytest.raises(WorkError, match="prepared copy in .*3.0.1 cannot be read .*remove it") as error:
        load("mnist")
    assert "\n" not in str(error.value)


@needs_real_files
def test_a_changed_byte_in_a_downloaded_file_is_refused(serve, at):
    folder = Path(REAL, "mnist")

    def flipped(handler):
        body = bytearray((folder / handler.path.strip("/")).read_bytes())
        if "t10k-images" in handler.path:
            body[1000] ^= 1
        content(handler, bytes(body))

    at("mnist", serve(flipped).url)
    with pytest.raises(WorkError, match="t10k-images.* has a wrong checksum"):
        load("mnist", say=lambda line: None)
