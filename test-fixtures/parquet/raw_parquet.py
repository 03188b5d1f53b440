"""Parquet byte by byte: what no writer writes, and what none should.

Just enough of Thrift's compact protocol for footers and page headers. Every
number in them can be replaced by one that lies.
"""

import struct

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
REQUIRED, OPTIONAL, REPEATED = range(3)
PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
NONE, SNAPPY, GZIP, BROTLI, LZ4_HADOOP, ZSTD = 0, 1, 2, 4, 5, 6
UTF8, MAP, MAP_KEY_VALUE, LIST, ENUM, DECIMAL, JSON, BSON, INTERVAL = 0, 1, 2, 3, 4, 5, 19, 20, 21
UINT_8, UINT_16, INT_8, INT_16 = 11, 12, 15, 16


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number):
    return varint((number << 1) ^ (number >> 63) if number >= 0 else ((-number) << 1) - 1)


class I32(int):
    kind = 5


class I64(int):
    kind = 6


class Text(bytes):
    kind = 8


class Fields(dict):
    """A structure: values by the numbers of their fields."""

    kind = 12


class Items(list):
    kind = 9


def encode(value):
    if isinstance(value, (I32, I64)):
        return zigzag(int(value))
    if isinstance(value, Text):
        return varint(len(value)) + bytes(value)
    if isinstance(value, Items):
        kind = value[0].kind if value else 12
        head = bytes([len(value) << 4 | kind]) if len(value) < 15 else bytes([0xF0 | kind]) + varint(len(value))
        return head + b"".join(encode(item) for item in value)
    out, last = b"", 0
    for number, field in sorted(value.items()):
        if field is None:
            continue
        delta = number - last
        head = bytes([delta << 4 | field.kind]) if 0 < delta < 16 else bytes([field.kind]) + zigzag(number)
        out, last = out + head + encode(field), number
    return out + b"\0"


def node(name, repetition, children=None, physical=None, converted=None, **more):
    """An element of the schema; a group when it has children."""
    return Fields({
        1: None if physical is None else I32(physical),
        2: I32(more["length"]) if "length" in more else None,
        3: I32(repetition),
        4: Text(name.encode()),
        5: None if children is None else I32(children),
        6: None if converted is None else I32(converted),
        7: I32(more["scale"]) if "scale" in more else None,
        8: I32(more["precision"]) if "precision" in more else None,
    })


def levels(values):
    """Repetition or definition levels, a run for each; nothing where the schema has none."""
    if values is None:
        return b""
    runs = b"".join(varint(1 << 1) + bytes([value]) for value in values)
    return struct.pack("<I", len(runs)) + runs


def plain(physical, values):
    if physical == BYTE_ARRAY:
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    if physical in (FIXED, INT96):
        return b"".join(values)
    form = {INT32: "i", INT64: "q", FLOAT: "f", DOUBLE: "d"}[physical]
    return struct.pack(f"<{len(values)}{form}", *values)


class Column:
    """A column chunk of one page, and of a dictionary page when there is a dictionary."""

    def __init__(self, path, physical, values, defs=None, reps=None, **more):
        self.path, self.physical, self.more = path.split("."), physical, more
        self.count = len(values) if defs is None else len(defs)
        self.body = levels(reps) + levels(defs)
        self.body += more["page"] if "page" in more else plain(physical, values)

    def pages(self, at):
        """The bytes of the chunk, and its metadata."""
        more = self.more
        codec, compress = more.get("codec", (NONE, bytes))
        out, dictionary = b"", None
        if "dictionary" in more:
            body = plain(self.physical, more["dictionary"])
            count = more.get("dictionary_count", len(more["dictionary"]))
            header = Fields({1: I32(2), 2: I32(len(body)), 3: I32(len(compress(body))),
                             7: Fields({1: I32(count), 2: I32(PLAIN)})})
            dictionary, out = at, encode(header) + compress(body)
        packed = compress(self.body)
        encoding = I32(more.get("encoding", PLAIN))
        header = Fields({
            1: I32(0),
            2: I32(more.get("uncompressed", len(self.body))),
            3: I32(more.get("compressed", len(packed))),
            5: Fields({1: I32(more.get("page_values", self.count)), 2: encoding, 3: I32(RLE), 4: I32(RLE)}),
        })
        data = at + len(out)
        out += encode(header) + packed
        metadata = Fields({
            1: I32(self.physical),
            2: Items([encoding, I32(RLE)]),
            3: Items([Text(part.encode()) for part in self.path]),
            4: I32(codec),
            5: I64(more.get("chunk_values", self.count)),
            6: I64(more.get("chunk_uncompressed", len(out))),
            7: I64(more.get("chunk_compressed", len(out))),
            9: I64(more.get("offset", data)),
            11: None if dictionary is None else I64(dictionary),
        })
        return out, metadata


def document(schema, columns, rows, group_rows=None, file_rows=None):
    """A file of one row group; `schema` is without its root."""
    out, chunks = b"PAR1", []
    for column in columns:
        at = len(out)
        pages, metadata = column.pages(at)
        out += pages
        chunks.append(Fields({2: I64(at), 3: metadata}))
    roots, pending = 0, 0
    for element in schema:  # the elements at the top, after each one's children
        if pending == 0:
            roots += 1
        else:
            pending -= 1
        pending += int(element[5] or 0)
    footer = encode(Fields({
        1: I32(1),
        2: Items([Fields({4: Text(b"schema"), 5: I32(roots)}), *schema]),
        3: I64(rows if file_rows is None else file_rows),
        4: Items([Fields({1: Items(chunks), 2: I64(len(out)), 3: I64(rows if group_rows is None else group_rows)})]),
        6: Text(b"raw_parquet.py"),
    }))
    return out + footer + struct.pack("<I", len(footer)) + b"PAR1"
