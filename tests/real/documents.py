"""What devices attach, made here: a picture and a document that programs can open, and octets without a meaning.

The same at each run.
"""

import struct
import zlib


def octets(count):
    """Every value is among them."""
    return bytes((i * i + (i >> 8)) & 0xFF for i in range(count))


def png(width, height):
    """A picture in shades of grey, 8 bits a pixel."""
    pixels = octets(width * height)
    # Each row says first how it is filtered; 0 is not at all.
    rows = b"".join(b"\0" + pixels[width * row : width * (row + 1)] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pdf(count):
    """An empty page, and beside it a stream of so many octets that nobody shows."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
        b"<</Length %d>>stream\n%b\nendstream" % (count, octets(count)),
    ]
    document, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(document))
        document += b"%d 0 obj%b\nendobj\n" % (number, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + entries
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(document))
    return document + table + end
