"""Does a host answer? Asked within a fixed time, so that working without a network costs seconds, not minutes."""

import threading

SECONDS = 3.0                     # in total: for the name, the connection and the first byte


def why_no_answer(url: str, seconds: float = SECONDS) -> str | None:
    """None if `url` really delivers; else, after `seconds` at most, the reason why it does not.

    >>> why_no_answer("http://127.0.0.1:9/")        # nothing listens on the discard port
    'no connection to 127.0.0.1'
    """
    import requests               # what tensorflow-datasets downloads with: same proxies, same certificates

    host = url.split("//")[-1].split("/")[0].split(":")[0]
    outcome = [f"no answer from {host} within {seconds:g} seconds"]

    def ask():
        try:
            with requests.get(url, stream=True, timeout=seconds) as response:
                if response.status_code != 200:
                    outcome[0] = f"{host} answered {response.status_code} {response.reason}"
                elif not response.raw.read(1):
                    outcome[0] = f"{host} answered with nothing"
                else:
                    outcome[0] = None
        except requests.Timeout:
            pass
        except requests.exceptions.SSLError:
            outcome[0] = f"no trusted connection to {host}"
        except Exception:         # requests lets urllib3's and socket's own errors through; all mean the same here
            outcome[0] = f"no connection to {host}"

    thread = threading.Thread(target=ask, daemon=True)      # looking up a name can hang, and cannot be cancelled
    thread.start()
    thread.join(seconds)
    return outcome[0]
