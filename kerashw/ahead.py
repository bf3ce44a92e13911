"""What SQLite wrote ahead of a database: whether it is as it was written.

SQLite itself takes what it finds up to the first fault and forgets the rest without a word, as if a power cut had
come then. The format is https://www.sqlite.org/walformat.html.
"""

import struct

MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # with the order of bytes in which sums are made
HEADER, FRAME = 32, 24  # bytes; a page follows each frame


def fault_of_log(path):
    """What is wrong with a database's -wal, or None; one that is empty or missing is in order.

    >>> import pathlib
    >>> fault_of_log(pathlib.Path("nowhere/trials.db-wal")) is None
    True
    """
    content = path.read_bytes() if path.exists() else b""
    if not content:
        return None
    if len(content) < HEADER:
        return f"{path}: is cut short"
    magic, _, size, _, *salts = struct.unpack(">6I", content[:24])
    if magic not in MAGIC or _sums(content[:24], MAGIC[magic]) != struct.unpack(">2I", content[24:HEADER]):
        return f"{path}: has changed since it was written"
    sums = struct.unpack(">2I", content[24:HEADER])
    is_over = False
    for start in range(HEADER, len(content) - size - FRAME + 1, FRAME + size):
        frame = content[start : start + FRAME + size]
        _, _, *own, first, second = struct.unpack(">6I", frame[:FRAME])
        if own != salts:  # left of an earlier round, after which there is nothing of this one
            is_over = True
        elif is_over or _sums(frame[:8] + frame[FRAME:], MAGIC[magic], sums) != (first, second):
            return f"{path}: has changed since it was written"
        sums = first, second
    return None


def _sums(content, order, sums=(0, 0)):
    """SQLite's two sums over pairs of 32-bit numbers, going on from earlier ones."""
    one, two = sums
    numbers = struct.unpack(f"{order}{len(content) // 4}I", content)
    for first, second in zip(numbers[::2], numbers[1::2]):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
