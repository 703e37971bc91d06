"""Write digits.csv.gz beside this script: the handwritten digits of scikit-learn.

    pip install scikit-learn
    python make_digits.py

One line per image: 64 pixels (8 x 8, row by row, integers 0..16), then the
label (0..9), separated by commas. The gzip header holds neither a file name nor
a time, so the same zlib gives the same bytes on every run.
"""

import gzip
from collections import Counter
from pathlib import Path

from sklearn.datasets import load_digits

TARGET = Path(__file__).resolve().parent / "digits.csv.gz"


def read_rows():
    """All images as lists of 65 integers: 64 pixels, then the label."""
    digits = load_digits()
    pixels = digits.data.astype(int)
    if (pixels != digits.data).any():
        raise ValueError("a pixel is not an integer")
    return [[*image.tolist(), int(label)] for image, label in zip(pixels, digits.target)]


def check(rows):
    if len(rows) != 1797:
        raise ValueError(f"expected 1797 images, found {len(rows)}")
    for row in rows:
        if len(row) != 65 or not all(0 <= p <= 16 for p in row[:64]) or not 0 <= row[64] <= 9:
            raise ValueError(f"unexpected row: {row}")


def write_gzip(path, text):
    with open(path, "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as packed:
            packed.write(text.encode("ascii"))


def main():
    rows = read_rows()
    check(rows)
    write_gzip(TARGET, "".join(",".join(map(str, row)) + "\n" for row in rows))

    classes = Counter(row[64] for row in rows)
    print(f"images: {len(rows)}")
    print(f"sum of pixels: {sum(sum(row[:64]) for row in rows)}")
    print("class frequencies: " + ", ".join(f"{c}: {classes[c]}" for c in range(10)))
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
